/**
 * `pnpm scaling`: what a million clients ask of gateways, cache and Electric, for the demo's graph and stated assumptions. Arithmetic, not a measurement; every
 * assumption is an option. docs/scaling.md quotes what it prints.
 */
import { graph } from "../packages/engine/examples/workspaces.graph.ts"
import { ExitCode, main, readOptions, table } from "./lib/cli.ts"
import { type Installation, type Load, loadOf, type Population } from "./lib/scaling.ts"

const defaults = {
  clients: 1_000_000,
  online: 0.1,
  companies: 2,
  members: 20,
  changes: 1,
  "new-per-hour": 0.05,
  "bytes-per-wait": 30_000,
  "gateway-micros": 400,
} as const
type Assumption = keyof typeof defaults

const meanings: Readonly<Record<Assumption, string>> = {
  clients: "people with a session",
  online: "share of them online at the same time",
  companies: "companies a person belongs to",
  members: "people in a company",
  changes: "changes per company and minute that a client sees",
  "new-per-hour": "share of online clients that start from nothing within an hour",
  "bytes-per-wait": "bytes a waiting request holds in a gateway (bench gateway measures it)",
  "gateway-micros": "processor microseconds of a gateway per small request",
}

const usage = `Usage: pnpm scaling [--NAME VALUE …] [--json]

Shapes, open requests, requests per second and cache hits for the demo's graph. Assumptions:
${Object.entries(meanings)
  .map(([name, meaning]) => `  --${name.padEnd(16)} ${meaning} (${defaults[name as Assumption]})`)
  .join("\n")}
  --json             print {population, scenarios: [{name, installation, load}]} and nothing else`

/** Ways to run the same graph for the same people. */
const scenarios: ReadonlyArray<
  readonly [name: string, installation: Partial<Installation>, companies?: number]
> = [
  ["4 connections (default)", { maxConnections: 4 }],
  ["32 over HTTP/2", { maxConnections: 32 }],
  ["32, one company at a time", { maxConnections: 32 }, 1],
]

const number = (value: number): string =>
  value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 2 : 0 })

const rowsOf = (loads: ReadonlyArray<Load>): ReadonlyArray<ReadonlyArray<string>> => {
  const row = (name: string, of: (load: Load) => string): ReadonlyArray<string> => [name, ...loads.map(of)]
  return [
    row("shapes per client", (load) => number(load.instancesPerClient)),
    row("shapes in Electric, all clients", (load) => number(load.shapes)),
    row("clients online", (load) => number(load.onlineClients)),
    row("requests open at gateways", (load) => number(load.openRequests)),
    row("memory of gateways for them", (load) => `${number(load.gatewayBytes / 1e9)} GB`),
    row("requests per second to gateways", (load) => number(load.requestsPerSecond)),
    row("processor cores for them", (load) => number(load.gatewayCores)),
    row("a change waits for its turn at most", (load) => `${number(load.stalenessMillis)} ms`),
    row("requests per second past a cache", (load) => number(load.requestsPastCache)),
    row("first snapshots from the cache", (load) => `${(load.snapshotHits * 100).toFixed(1)} %`),
    row("first snapshots per second past it", (load) => number(load.snapshotsPastCache)),
  ]
}

const read = (text: string | undefined, name: Assumption): number => {
  const value = text === undefined ? defaults[name] : Number(text)
  if (Number.isFinite(value) && value > 0) return value
  console.error(`--${name} must be a positive number, not ${text}\n\n${usage}`)
  return process.exit(ExitCode.usage)
}

main(async () => {
  const given = readOptions(usage, {
    json: { type: "boolean" },
    clients: { type: "string" },
    online: { type: "string" },
    companies: { type: "string" },
    members: { type: "string" },
    changes: { type: "string" },
    "new-per-hour": { type: "string" },
    "bytes-per-wait": { type: "string" },
    "gateway-micros": { type: "string" },
  })
  const of = (name: Assumption): number => read(given[name], name)
  const population: Population = {
    clients: of("clients"),
    online: of("online"),
    companiesPerClient: of("companies"),
    membersPerCompany: of("members"),
    changesPerCompanyMinute: of("changes"),
    newPerHour: of("new-per-hour"),
  }
  const computed = scenarios.map(([name, set, companies]) => {
    const installation: Installation = {
      maxConnections: 4,
      liveSliceMillis: 300,
      longPollMillis: 20_000,
      bytesPerWait: of("bytes-per-wait"),
      gatewayMicros: of("gateway-micros"),
      ...set,
    }
    const people = { ...population, companiesPerClient: companies ?? population.companiesPerClient }
    return { name, installation, load: loadOf(graph, people, installation) }
  })
  if (given.json === true) {
    console.log(JSON.stringify({ population, scenarios: computed }))
    return 0
  }
  const assumptions = Object.entries(meanings).map(
    ([name, meaning]) => `  ${number(of(name as Assumption))} ${meaning}`,
  )
  console.log(`Assumed:\n${assumptions.join("\n")}\n`)
  const [first] = computed
  const nodes = first?.load.nodes.map(({ node, perClient, sharedBy, shapes }) => [
    node,
    number(perClient),
    number(sharedBy),
    number(shapes),
  ])
  console.log(table([["node", "per client", "shared by", "shapes"], ...(nodes ?? [])]))
  console.log(
    `\n${table([["", ...computed.map(({ name }) => name)], ...rowsOf(computed.map(({ load }) => load))])}`,
  )
  return 0
})

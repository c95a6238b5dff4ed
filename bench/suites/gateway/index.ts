/**
 * The suite of the gateway: what it costs to ask through it, beside asking the shape server directly and beside a proxy that checks nothing, and what a
 * waiting request holds. Requests are of one chunk of 1,000 wide rows, as an engine's catch-up makes them.
 */
import { Agent, request as httpRequest, type ClientRequest, type IncomingMessage } from "node:http"
import { once } from "node:events"
import {
  atLeast,
  atMost,
  median,
  measureOf,
  ratios,
  type Measure,
  type SuiteOptions,
} from "../../lib/measure.ts"
import { benchRole, type Running, start } from "../../lib/gatewayProcess.ts"
import { wideColumns, wideTable } from "../../lib/wideRows.ts"

export const gatewayIds = [
  "gateway.p50-vs-direct",
  "gateway.throughput-vs-proxy",
  "gateway.bytes-per-wait",
] as const

/** Rows in the answer. */
const rowsPerAnswer = 1_000
/** Requests per round and side, one after the other. */
const requestsPerRound = 200
/** Requests at a time, requests per batch, and batches per round and side. */
const crowd = 32
const crowdRequests = 100
const crowdBatches = 10
/** Requests that wait at the same time. */
const waits = 5_000

const headers = { authorization: "Bearer x" }
const asks = {
  through: (base: string, position: string): string => `${base}/v1/shape?node=rows&${position}`,
  direct: (base: string, position: string): string => {
    const query = new URLSearchParams({
      table: wideTable,
      columns: Object.keys(wideColumns).join(","),
      where: "role = $1",
      "params[1]": benchRole,
    })
    return `${base}/v1/shape?${query}&${position}`
  },
}

const ask = (agent: Agent, url: string): ClientRequest => {
  const asked = httpRequest(url, { agent, headers })
  asked.end()
  return asked
}

/** Sends a request and reads the answer to its end; returns its bytes. */
const read = async (agent: Agent, url: string): Promise<number> => {
  const [message] = (await once(ask(agent, url), "response")) as [IncomingMessage]
  if (message.statusCode !== 200) throw new Error(`${message.statusCode} from ${url}`)
  let bytes = 0
  for await (const chunk of message) bytes += (chunk as Buffer).length
  return bytes
}

const millisOf = async (work: () => Promise<unknown>): Promise<number> => {
  const from = performance.now()
  await work()
  return performance.now() - from
}

/** Medians of single requests to each address, asked in turn so that a busy moment meets all of them. */
const medians = async (agent: Agent, urls: ReadonlyArray<string>): Promise<ReadonlyArray<number>> => {
  const times = urls.map((): Array<number> => [])
  for (let n = 0; n < requestsPerRound; n += 1) {
    for (const [at, url] of urls.entries()) times[at]?.push(await millisOf(() => read(agent, url)))
  }
  return times.map(median)
}

const crowdOnce = async (agent: Agent, url: string): Promise<void> => {
  let left = crowdRequests
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      await read(agent, url)
    }
  }
  await Promise.all(Array.from({ length: crowd }, worker))
}

/** Milliseconds of crowds at each address, in small batches in turn. */
const crowds = async (agent: Agent, urls: ReadonlyArray<string>): Promise<ReadonlyArray<number>> => {
  const sums = urls.map(() => 0)
  for (let batch = 0; batch < crowdBatches; batch += 1) {
    for (const [at, url] of urls.entries()) {
      sums[at] = (sums[at] ?? 0) + (await millisOf(() => crowdOnce(agent, url)))
    }
  }
  return sums
}

/**
 * Bytes that one waiting request holds in the gateway's process. Then the shape server has a change, and every one of them must
 * be answered.
 */
const bytesPerWait = async (electric: Running, gateway: Running, live: string): Promise<number> => {
  const agent = new Agent({ keepAlive: false, maxSockets: Infinity })
  const before = await gateway.memory()
  const open = Array.from({ length: waits }, () => ask(agent, asks.through(gateway.url, live)))
  const answered = open.map(async (one) => {
    const [message] = (await once(one, "response")) as [IncomingMessage]
    message.resume()
    return message.statusCode
  })
  await Promise.all(open.filter((one) => !one.writableFinished).map((one) => once(one, "finish")))
  // The gateway serves in order of arrival: with this answer, all that wait have reached it.
  await read(new Agent(), asks.through(gateway.url, "offset=-1"))
  const after = await gateway.memory()
  electric.change()
  const statuses = await Promise.all(answered)
  agent.destroy()
  const lost = statuses.filter((status) => status !== 200).length
  if (lost > 0) throw new Error(`${lost} of ${waits} waiting requests were not answered with 200`)
  return (after - before) / waits
}

const livePosition = async (agent: Agent, base: string): Promise<string> => {
  const [message] = (await once(ask(agent, asks.through(base, "offset=-1")), "response")) as [IncomingMessage]
  message.resume()
  const handle = String(message.headers["electric-handle"])
  return `offset=${String(message.headers["electric-offset"])}&handle=${handle}&live=true`
}

/** Runs the suite. */
export const gatewaySuite = async (options: SuiteOptions): Promise<ReadonlyArray<Measure>> => {
  const electric = await start({ role: "electric", rows: rowsPerAnswer })
  const gateway = await start({ role: "gateway", target: electric.url })
  const proxy = await start({ role: "proxy", target: electric.url })
  const agent = new Agent({ keepAlive: true, maxSockets: crowd })
  const single: Array<ReadonlyArray<number>> = []
  const crowded: Array<ReadonlyArray<number>> = []
  try {
    const direct = asks.direct(electric.url, "offset=-1")
    const through = asks.through(gateway.url, "offset=-1")
    const proxied = asks.direct(proxy.url, "offset=-1")
    for (let turn = 0; turn <= options.rounds; turn += 1) {
      const one = await medians(agent, [direct, through, proxied])
      const many = await crowds(agent, [proxied, through])
      const round = turn === 0 ? "warm-up" : `round ${turn}`
      const [ms, total] = [one.map((each) => each.toFixed(2)), many.map((each) => each.toFixed(0))]
      options.log(`  ${round}  p50: direct ${ms[0]} ms, gateway ${ms[1]} ms, bare proxy ${ms[2]} ms`)
      options.log(
        `  ${round}  ${crowdRequests * crowdBatches} requests: bare proxy ${total[0]} ms, gateway ${total[1]} ms`,
      )
      if (turn === 0) continue
      single.push(one)
      crowded.push(many)
    }
    const perWait = options.wants("gateway.bytes-per-wait")
      ? [await bytesPerWait(electric, gateway, await livePosition(agent, gateway.url))]
      : []
    const of = (all: ReadonlyArray<ReadonlyArray<number>>, at: number): ReadonlyArray<number> =>
      all.map((round) => round[at] ?? Number.NaN)
    return [
      measureOf("gateway.p50-vs-direct", ratios(of(single, 1), of(single, 0)), "x time", atMost(1.15)),
      measureOf(
        "gateway.throughput-vs-proxy",
        ratios(of(crowded, 0), of(crowded, 1)),
        "x as many",
        atLeast(0.8),
      ),
      ...perWait.map((bytes) => measureOf("gateway.bytes-per-wait", [bytes], "B", atMost(65_536))),
    ].filter(({ id }) => options.wants(id))
  } finally {
    agent.destroy()
    await Promise.all([electric.stop(), gateway.stop(), proxy.stop()])
  }
}

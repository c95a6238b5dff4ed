/**
 * The suite of the gateway: what it costs to ask through it, beside asking the shape server directly, beside a proxy that checks nothing and beside a
 * pipe between two sockets, and what a waiting request holds. Requests are of one chunk of 1,000 wide rows, as an engine's catch-up makes them.
 */
import { Agent } from "node:http"
import { atLeast, atMost, measureOf, ratios, type Measure, type SuiteOptions } from "../../lib/measure.ts"
import { type Running, start } from "../../lib/gatewayProcess.ts"
import { asks, bytesPerWait, crowdRequests, crowds, crowdWidth, liveAnswers, medians } from "./requests.ts"

export const gatewayIds = [
  "gateway.p50-vs-direct",
  "gateway.p50-vs-direct-at-20ms",
  "gateway.live-vs-direct",
  "gateway.throughput-vs-proxy",
  "gateway.bytes-per-wait",
] as const

/** Rows in the answer. */
const rowsPerAnswer = 1_000
/** How far away the shape server is in the second measure: a round trip and its work, as between two data centres of a region. */
const distanceMillis = 20

/** Times of one round in milliseconds, per side: direct, gateway, bare proxy, pipe. */
interface Round {
  readonly near: ReadonlyArray<number>
  readonly far: ReadonlyArray<number>
  readonly live: ReadonlyArray<number>
  readonly crowd: ReadonlyArray<number>
}

interface Sides {
  readonly electric: Running
  readonly gateway: Running
  readonly proxy: Running
  readonly pipe: Running
}

const sideNames = ["direct", "gateway", "bare proxy", "pipe"] as const

const oneRound = async (
  agent: Agent,
  sides: Sides,
  { log, wants }: SuiteOptions,
  name: string,
): Promise<Round> => {
  const { electric, gateway, pipe, proxy } = sides
  const initial = [
    asks.direct(electric.url, "offset=-1"),
    asks.through(gateway.url, "offset=-1"),
    asks.direct(proxy.url, "offset=-1"),
    asks.direct(pipe.url, "offset=-1"),
  ]
  const tell = (
    what: string,
    times: ReadonlyArray<number>,
    names: ReadonlyArray<string> = sideNames,
  ): void => {
    if (times.length === 0) return
    log(`  ${name}  ${what}: ${times.map((each, at) => `${names[at]} ${each.toFixed(2)} ms`).join(", ")}`)
  }
  const near = wants("gateway.p50-vs-direct") ? await medians(agent, initial) : []
  tell("p50", near)
  let far: ReadonlyArray<number> = []
  if (wants("gateway.p50-vs-direct-at-20ms")) {
    await electric.delay(distanceMillis)
    far = await medians(agent, initial)
    await electric.delay(0)
    tell(`p50 at ${distanceMillis} ms`, far)
  }
  const live = wants("gateway.live-vs-direct") ? await liveAnswers(electric, gateway) : []
  tell("change to answer of a live poll", live)
  const crowd = wants("gateway.throughput-vs-proxy")
    ? await crowds(agent, [asks.direct(proxy.url, "offset=-1"), asks.through(gateway.url, "offset=-1")])
    : []
  tell(`${crowdRequests} requests, ${crowdWidth} at a time`, crowd, ["bare proxy", "gateway"])
  return { near, far, live, crowd }
}

const measuresOf = (rounds: ReadonlyArray<Round>, perWait: ReadonlyArray<number>): ReadonlyArray<Measure> => {
  const side = (which: keyof Round, at: number): ReadonlyArray<number> =>
    rounds.map((round) => round[which][at] ?? Number.NaN)
  const againstDirect = (which: "near" | "far" | "live"): ReadonlyArray<number> =>
    ratios(side(which, 1), side(which, 0))
  return [
    measureOf("gateway.p50-vs-direct", againstDirect("near"), "x time", atMost(1.15)),
    measureOf("gateway.p50-vs-direct-at-20ms", againstDirect("far"), "x time", atMost(1.15)),
    measureOf("gateway.live-vs-direct", againstDirect("live"), "x time", atMost(1.15)),
    measureOf(
      "gateway.throughput-vs-proxy",
      ratios(side("crowd", 0), side("crowd", 1)),
      "x as many",
      atLeast(0.8),
    ),
    ...perWait.map((bytes) => measureOf("gateway.bytes-per-wait", [bytes], "B", atMost(65_536))),
  ]
}

/** Runs the suite. */
export const gatewaySuite = async (options: SuiteOptions): Promise<ReadonlyArray<Measure>> => {
  const electric = await start({ role: "electric", rows: rowsPerAnswer })
  const sides: Sides = {
    electric,
    gateway: await start({ role: "gateway", target: electric.url }),
    proxy: await start({ role: "proxy", target: electric.url }),
    pipe: await start({ role: "pipe", target: electric.url }),
  }
  const agent = new Agent({ keepAlive: true, maxSockets: crowdWidth })
  const rounds: Array<Round> = []
  try {
    for (let turn = 0; turn <= options.rounds; turn += 1) {
      const round = await oneRound(agent, sides, options, turn === 0 ? "warm-up" : `round ${turn}`)
      if (turn > 0) rounds.push(round)
    }
    const perWait = options.wants("gateway.bytes-per-wait")
      ? [await bytesPerWait(electric, sides.gateway)]
      : []
    return measuresOf(rounds, perWait).filter(({ id }) => options.wants(id))
  } finally {
    agent.destroy()
    await Promise.all(Object.values(sides).map((side: Running) => side.stop()))
  }
}

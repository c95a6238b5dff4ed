/** What the gateway's suite sends: single requests in turn, crowds in turn, live polls beside each other, and many waits. Called by the suite only. */
import { Agent, request as httpRequest, type ClientRequest, type IncomingMessage } from "node:http"
import { once } from "node:events"
import { median } from "../../lib/measure.ts"
import { benchRole, type Running } from "../../lib/gatewayProcess.ts"
import { wideColumns, wideTable } from "../../lib/wideRows.ts"

/** Requests per round and side, one after the other. */
const requestsPerRound = 200
/** Requests at a time, requests per batch, and batches per round and side. */
export const crowdWidth = 32
const batchRequests = 100
const batches = 10
/** Requests of all batches of a side. */
export const crowdRequests = batchRequests * batches
/** Changes per round that both sides wait for. */
const changesPerRound = 40
/** Requests that wait at the same time. */
const waits = 5_000

const headers = { authorization: "Bearer x" }

/** Addresses of the one shape, by either way. */
export const asks = {
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

/** Sends a request and reads the answer to its end. */
const read = async (agent: Agent, url: string): Promise<IncomingMessage> => {
  const [message] = (await once(ask(agent, url), "response")) as [IncomingMessage]
  if (message.statusCode !== 200) throw new Error(`${message.statusCode} from ${url}`)
  for await (const chunk of message) void chunk
  return message
}

const millisOf = async (work: () => Promise<unknown>): Promise<number> => {
  const from = performance.now()
  await work()
  return performance.now() - from
}

/** Medians of single requests to each address, asked in turn so that a busy moment meets all of them, and in rotated order so that each follows each. */
export const medians = async (agent: Agent, urls: ReadonlyArray<string>): Promise<ReadonlyArray<number>> => {
  const times = urls.map((): Array<number> => [])
  for (let n = 0; n < requestsPerRound; n += 1) {
    for (const turn of urls.keys()) {
      const at = (turn + n) % urls.length
      times[at]?.push(await millisOf(() => read(agent, urls[at] ?? "")))
    }
  }
  return times.map(median)
}

const crowdOnce = async (agent: Agent, url: string): Promise<void> => {
  let left = batchRequests
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      await read(agent, url)
    }
  }
  await Promise.all(Array.from({ length: crowdWidth }, worker))
}

/** Milliseconds of crowds at each address, in small batches in turn. */
export const crowds = async (agent: Agent, urls: ReadonlyArray<string>): Promise<ReadonlyArray<number>> => {
  const sums = urls.map(() => 0)
  for (let batch = 0; batch < batches; batch += 1) {
    for (const [at, url] of urls.entries()) {
      sums[at] = (sums[at] ?? 0) + (await millisOf(() => crowdOnce(agent, url)))
    }
  }
  return sums
}

/** Where an answer leaves its client, as parameters of the next request. */
const positionAfter = (message: IncomingMessage): string =>
  `offset=${String(message.headers["electric-offset"])}&handle=${String(message.headers["electric-handle"])}`

/** The position of a client that has read everything: the next live request waits. */
const caughtUp = async (agent: Agent, url: (position: string) => string): Promise<string> => {
  let position = "offset=-1"
  for (;;) {
    const message = await read(agent, url(position))
    position = positionAfter(message)
    if (message.headers["electric-up-to-date"] !== undefined) return position
  }
}

/**
 * Medians of the time from a change in the database to the end of a live poll's answer: directly, and through the gateway. Both wait for the same
 * change, so each meets the other's work as well.
 */
export const liveAnswers = async (electric: Running, gateway: Running): Promise<ReadonlyArray<number>> => {
  const sides = [
    { agent: new Agent({ keepAlive: true }), url: (position: string) => asks.direct(electric.url, position) },
    { agent: new Agent({ keepAlive: true }), url: (position: string) => asks.through(gateway.url, position) },
  ]
  const times = sides.map((): Array<number> => [])
  const catchUpAgent = new Agent({ keepAlive: true })
  let position = await caughtUp(catchUpAgent, (at) => asks.direct(electric.url, at))
  catchUpAgent.destroy()
  for (let n = 0; n < changesPerRound; n += 1) {
    const waiting = sides.map(({ agent, url }) => read(agent, url(`${position}&live=true`)))
    await electric.waiting(sides.length)
    const from = performance.now()
    electric.change()
    const ended = await Promise.all(
      waiting.map(async (answer) => ({ message: await answer, millis: performance.now() - from })),
    )
    for (const [at, { millis }] of ended.entries()) times[at]?.push(millis)
    const last = ended[0]?.message
    if (last !== undefined) position = positionAfter(last)
  }
  for (const { agent } of sides) agent.destroy()
  return times.map(median)
}

/**
 * Bytes that one waiting request holds in the gateway's process. Then the shape server has a change, and every one of them must
 * be answered.
 */
export const bytesPerWait = async (electric: Running, gateway: Running): Promise<number> => {
  const agent = new Agent({ keepAlive: false, maxSockets: Infinity })
  const position = await caughtUp(agent, (at) => asks.through(gateway.url, at))
  const before = await gateway.memory()
  const open = Array.from({ length: waits }, () =>
    ask(agent, asks.through(gateway.url, `${position}&live=true`)),
  )
  const answered = open.map(async (one) => {
    const [message] = (await once(one, "response")) as [IncomingMessage]
    message.resume()
    return message.statusCode
  })
  await electric.waiting(waits)
  const after = await gateway.memory()
  electric.change()
  const statuses = await Promise.all(answered)
  agent.destroy()
  const lost = statuses.filter((status) => status !== 200).length
  if (lost > 0) throw new Error(`${lost} of ${waits} waiting requests were not answered with 200`)
  return (after - before) / waits
}

/**
 * Replays a recorded scenario of the real server against a dev-server and writes down the answers in the recordings'
 * format, so that the recordings' own comparison can judge them. Knows where the recordings are, and whether they are there.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { request as httpRequest } from "node:http"
import { join } from "node:path"
import { gunzipSync, inflateSync } from "node:zlib"

/** The recordings lie beside the repository where they are at all. */
export const goldenDirectory = join(import.meta.dirname, "../../../../../shared/golden")

export const hasGolden = existsSync(goldenDirectory)

type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

interface Request {
  readonly method?: string
  readonly path: string
  readonly query?: string | Readonly<Record<string, string | ReadonlyArray<string>>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Json
}

interface Response {
  readonly url: string
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Json
  readonly text?: string
  /** A raw event stream. */
  readonly sse?: string
  readonly closedBy?: string
  readonly elapsed: string
}

export interface Step {
  readonly sql?: ReadonlyArray<string>
  readonly mode?: string
  readonly session?: string
  readonly wait?: number
  readonly restart?: { readonly sqlWhileDown?: ReadonlyArray<string> }
  readonly request?: Request
  readonly follow?: Request
  readonly concurrent?: ReadonlyArray<Step>
  readonly whileWaiting?: ReadonlyArray<Step>
  readonly save?: string
  readonly sse?: { readonly collectMs: number }
  readonly skipped?: unknown
  readonly response?: Response
  readonly responses?: ReadonlyArray<Response>
}

export interface Scenario {
  readonly name: string
  readonly profile: string
  readonly tags: ReadonlyArray<string>
  readonly steps: ReadonlyArray<Step>
}

export const readScenario = (name: string): Scenario =>
  JSON.parse(readFileSync(join(goldenDirectory, `${name}.json`), "utf8")) as Scenario

/** Names of all recordings. */
export const scenarioNames = (): ReadonlyArray<string> =>
  readdirSync(goldenDirectory)
    .filter((file) => file.endsWith(".json"))
    .map((file) => file.slice(0, -".json".length))

/** The server and database a scenario is replayed against. */
export interface Target {
  readonly url: () => string
  /** Runs the statements of a step. */
  readonly sql: (step: Step) => Promise<void>
  /** Stops the server, runs statements, starts it again on what it kept. */
  readonly restart: (sqlWhileDown: ReadonlyArray<string>) => Promise<void>
}

/** The recordings' own comparison. */
export const loadComparison = async (): Promise<{
  readonly normalise: (scenario: Scenario) => unknown
  readonly differences: (a: unknown, b: unknown) => ReadonlyArray<string>
}> => await import(join(goldenDirectory, "compare.mjs"))

/** Recorded pauses are for replication; ours are only as long as a second request takes to arrive. */
const maxWaitMillis = 150

const pause = (millis: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, Math.min(millis, maxWaitMillis)))

/** Replays one scenario. */
export class Replayer {
  readonly #saved = new Map<string, Response>()
  readonly #target: Target
  readonly #timeoutMillis: number

  constructor(target: Target, timeoutMillis: number) {
    this.#target = target
    this.#timeoutMillis = timeoutMillis
  }

  async run(scenario: Scenario): Promise<Scenario> {
    const steps: Array<Step> = []
    for (const step of scenario.steps) steps.push(await this.#step(step))
    return { ...scenario, steps }
  }

  async #step(step: Step): Promise<Step> {
    if (step.sql !== undefined) await this.#target.sql(step)
    else if (step.restart !== undefined) await this.#target.restart(step.restart.sqlWhileDown ?? [])
    else if (step.wait !== undefined) await pause(step.wait)
    else if (step.follow !== undefined) return { ...step, responses: await this.#follow(step, step.follow) }
    else if (step.request !== undefined) return await this.#request(step, step.request)
    else if (step.concurrent !== undefined) {
      return await this.#concurrent(step, step.concurrent)
    }
    return step
  }

  async #follow(step: Step, request: Request): Promise<ReadonlyArray<Response>> {
    const responses: Array<Response> = []
    let next = request
    for (let n = 0; n < 100; n += 1) {
      const response = await this.#send(next)
      responses.push(response)
      if (step.save !== undefined) this.#saved.set(step.save, response)
      if (response.status !== 200 || "electric-up-to-date" in response.headers) return responses
      const query = typeof request.query === "object" ? request.query : {}
      next = {
        ...request,
        query: {
          ...query,
          offset: response.headers["electric-offset"] ?? "",
          handle: response.headers["electric-handle"] ?? "",
        },
      }
    }
    return responses
  }

  async #concurrent(step: Step, requests: ReadonlyArray<Step>): Promise<Step> {
    let wroteAt = Number.POSITIVE_INFINITY
    const sending = requests.map(async (one) => {
      const response = await this.#send(one.request ?? { path: "/" }, () => performance.now() >= wroteAt)
      if (one.save !== undefined) this.#saved.set(one.save, response)
      return { ...one, response }
    })
    for (const other of step.whileWaiting ?? []) {
      if (other.sql !== undefined) wroteAt = performance.now()
      await this.#step(other)
    }
    return { ...step, concurrent: await Promise.all(sending) }
  }

  async #request(step: Step, request: Request): Promise<Step> {
    const meanwhile = step.whileWaiting ?? []
    let wroteAt = Number.POSITIVE_INFINITY
    const sending = this.#send(request, () => performance.now() >= wroteAt, step.sse)
    const done: Array<Step> = []
    for (const other of meanwhile) {
      if (other.sql !== undefined) wroteAt = performance.now()
      done.push(await this.#step(other))
    }
    const response = await sending
    if (step.save !== undefined) this.#saved.set(step.save, response)
    return { ...step, response, ...(step.whileWaiting === undefined ? {} : { whileWaiting: done }) }
  }

  async #send(request: Request, waited = () => false, sse?: Step["sse"]): Promise<Response> {
    const url = this.#fill(`${request.path}${queryText(request.query)}`)
    const before = performance.now()
    const answer = await exchange(this.#target.url(), url, request, (value) => this.#fill(value), sse)
    const elapsed = performance.now() - before
    const bucket =
      elapsed > this.#timeoutMillis * 0.9
        ? "timeout"
        : waited()
          ? "waited"
          : elapsed > this.#timeoutMillis * 0.45
            ? "half-timeout"
            : "immediate"
    const { status, headers } = answer
    return { url, status, headers, elapsed: bucket, ...content(answer, sse !== undefined) }
  }

  #fill(text: string): string {
    return text.replaceAll(
      /(?:\{\{|%7B%7B)(\w+)\.(\w+)(?:\}\}|%7D%7D)/gu,
      (_, name: string, field: string) => {
        const saved = this.#saved.get(name)
        if (field === "etag") return saved?.headers["etag"] ?? ""
        if (field !== "lsn") return saved?.headers[`electric-${field}`] ?? ""
        const last = Array.isArray(saved?.body)
          ? (saved.body.at(-1) as { readonly headers?: Record<string, string> })
          : undefined
        return last?.headers?.["global_last_seen_lsn"] ?? ""
      },
    )
  }
}

const queryText = (query: Request["query"]): string => {
  if (query === undefined || query === null) return ""
  if (typeof query === "string") return `?${query}`
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    (typeof value === "string" ? [value] : value).map(
      (one) => `${encodeURIComponent(name)}=${/^\{\{.*\}\}$/u.test(one) ? one : encodeURIComponent(one)}`,
    ),
  )
  return `?${pairs.join("&")}`
}

/** Our own date, connection and keep-alive headers say nothing about the protocol. */
const transportHeaders = new Set(["date", "keep-alive", "connection"])

interface Answer {
  readonly status: number
  readonly headers: Record<string, string>
  readonly text: string
  readonly closedBy: string
}

const content = ({ status, headers, text, closedBy }: Answer, isStream: boolean): Partial<Response> => {
  const type = headers["content-type"] ?? ""
  if (isStream && status === 200) return { sse: text.replaceAll(/^:\n\n/gmu, ""), closedBy }
  if (type.includes("json") && text !== "") return { body: JSON.parse(text) as Json }
  return text === "" ? { body: null } : { text }
}

/** Longest look at an idle event stream; the recordings look for seconds because of replication. */
const maxCollectMillis = 900

/** Sends the path as it is: `fetch` would tidy it, ask for compression and follow redirects. */
const exchange = (
  base: string,
  path: string,
  request: Request,
  fill: (text: string) => string,
  sse: Step["sse"],
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(base)
    const given = request.body ?? undefined
    const body = given === undefined || typeof given === "string" ? given : JSON.stringify(given)
    const headers = Object.fromEntries(
      Object.entries(request.headers ?? {}).map(([name, value]) => [name, fill(value)]),
    )
    const isTyped = Object.keys(headers).some((name) => name.toLowerCase() === "content-type")
    const sending = httpRequest({
      hostname,
      port,
      path,
      method: request.method ?? "GET",
      headers: {
        ...(body === undefined || isTyped ? {} : { "content-type": "application/json" }),
        ...headers,
      },
    })
    sending.once("error", reject)
    sending.once("response", (response) => {
      const chunks: Array<Buffer> = []
      const finish = (closedBy: string): void => {
        const kept = Object.entries(response.headers).filter(([name]) => !transportHeaders.has(name))
        const bytes = decompress(Buffer.concat(chunks), String(response.headers["content-encoding"]))
        resolve({
          status: response.statusCode ?? 0,
          headers: Object.fromEntries(kept.map(([name, value]) => [name, String(value)])),
          text: bytes.toString("utf8"),
          closedBy,
        })
      }
      const hangUp =
        sse === undefined
          ? undefined
          : setTimeout(
              () => {
                finish("client")
                sending.destroy()
              },
              Math.min(sse.collectMs, maxCollectMillis),
            )
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.once("error", () => finish("server"))
      response.once("end", () => {
        clearTimeout(hangUp)
        finish("server")
      })
    })
    sending.end(body)
  })

const decompress = (bytes: Buffer, encoding: string): Buffer =>
  encoding === "gzip" ? gunzipSync(bytes) : encoding === "deflate" ? inflateSync(bytes) : bytes

/** Parts where the dev-server differs on purpose, taken out of both sides (README, "Deviations"). */
export const withoutDeviations = (scenario: Scenario): Scenario =>
  JSON.parse(JSON.stringify(scenario), (key, value: unknown) => {
    if (value === "true" && key !== "live") return "t"
    if (value === "false") return "f"
    if (key === "global_last_seen_lsn") return "1"
    // How long an answer took depends on this machine; whether it waited shows in has-data, etag and body.
    if (key === "elapsed") return undefined
    // Scenarios run side by side here: other transactions may be under way.
    if (key === "xip_list") return []
    if (key === "access-control-expose-headers" && typeof value === "string")
      return value.replace("electric-snapshot,", "")
    return value
  }) as Scenario

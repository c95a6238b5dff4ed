/**
 * The gateway itself: `Request` in, `Response` out. It joins the decision (`admit.ts`), the shape server (`upstream.ts`) and the books (limits,
 * open requests, metrics), and nothing else. Every path that is not a clear yes ends in an error body `{code, message}` and no rows.
 */
import type { Graph } from "@espalier/engine/graph"
import { Wire } from "@espalier/engine/protocol"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { admit, type AdmitContext, internal, type Passage } from "./admit.ts"
import { isRefusal, type Refusal, refusal } from "./authorize.ts"
import { allowedMethods, preflight, withCors } from "./cors.ts"
import { Decisions, type RevokeTarget } from "./decisions.ts"
import { upstreamUrl } from "./forward.ts"
import { healthOf } from "./health.ts"
import { Limiter } from "./limits.ts"
import { Meter } from "./observe.ts"
import {
  checkOptions,
  defaultRuleCacheMillis,
  defaultUpstreamTimeoutMillis,
  type GatewayOptions,
} from "./options.ts"
import type { GatewayIdentity, Rule } from "./Rules.ts"
import { watched } from "./stream.ts"
import { askUpstream, type UpstreamContext } from "./upstream.ts"
import { Waits } from "./waits.ts"

const { GatewayCode, Header } = Wire

/** A gateway: call it with a request for a shape; it never rejects. */
export interface Gateway {
  (request: Request): Promise<Response>
  /**
   * Something changed about who may read what: forgets remembered decisions and asks `identify` and the rule again, now, for every open request
   * that the target means; those that may not go on end with 401 or 403. Call it after the change is committed.
   *
   * @returns how many open requests it ended
   */
  readonly revoke: (target: RevokeTarget) => Promise<number>
  /** 200 when the shape server answers, 503 otherwise or while closing. */
  readonly health: () => Promise<Response>
  /** Prometheus text; serve it with {@link metricsContentType}, and not to everybody. */
  readonly metrics: () => string
  /** Requests open now. */
  readonly open: () => number
  /**
   * Refuses new requests and ends waiting ones with 503 and `Retry-After`, then waits until the last is out. Answers that are streaming are cut
   * when `graceMillis` (default 5,000) have passed.
   */
  readonly close: (options?: { readonly graceMillis?: number }) => Promise<void>
}

interface Context<Identity extends GatewayIdentity> extends AdmitContext<Identity> {
  readonly options: Pick<GatewayOptions<Graph.Graph, Identity>, "cors" | "onRequest" | "path">
  readonly base: URL
  readonly upstream: Omit<UpstreamContext, "onFault">
  readonly meter: Meter
  readonly state: { closing: boolean }
}

/** A request on its way, with what the access log will say of it. */
interface Journey extends Passage {
  readonly startedAt: number
  upstreamMillis: number | null
}

const closing = refusal(503, GatewayCode.closing, "this gateway is being stopped; ask again", 1)

const refuse = (method: string, { code, message, retryAfterSeconds, status }: Refusal): Response =>
  new Response(method === "HEAD" ? null : JSON.stringify({ code, message }), {
    status,
    headers: {
      "content-type": "application/json",
      [Header.cacheControl]: "no-store",
      ...(status === 405 ? { allow: allowedMethods } : {}),
      ...(retryAfterSeconds === undefined ? {} : { [Header.retryAfter]: String(retryAfterSeconds) }),
    },
  })

/** What is refused before anything is read. */
const refusedAtTheDoor = <Identity extends GatewayIdentity>(
  { options, state }: Context<Identity>,
  request: Request,
): Refusal | null => {
  if (options.path !== undefined && new URL(request.url).pathname !== options.path) {
    return refusal(404, GatewayCode.notFound, `shapes are served at ${options.path}`)
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    const message = `method ${JSON.stringify(request.method)} is not allowed; use GET`
    return refusal(405, GatewayCode.methodNotAllowed, message)
  }
  return state.closing ? closing : null
}

const serve = async <Identity extends GatewayIdentity>(
  context: Context<Identity>,
  request: Request,
  journey: Journey,
): Promise<Response | Refusal> => {
  const refused = refusedAtTheDoor(context, request)
  if (refused !== null) return refused
  const admitted = await admit(context, request, journey)
  if (isRefusal(admitted)) return admitted
  const { ask, instance, wait } = admitted
  const url = upstreamUrl(context.base, instance, ask.forwarded, context.upstream.secret)
  const onFault = (cause: unknown): void => context.onFault({ where: "upstream", node: ask.node, cause })
  const askedAt = context.now()
  const answer = await askUpstream({ ...context.upstream, onFault }, request, url, wait.signal)
  wait.answered()
  journey.upstreamMillis = context.now() - askedAt
  return answer
}

/** The response, with the books closed once its last byte is out. */
const accounted = <Identity extends GatewayIdentity>(
  context: Context<Identity>,
  request: Request,
  journey: Journey,
  answer: Response | Refusal,
): Response => {
  const response = isRefusal(answer) ? refuse(request.method, answer) : answer
  let ended = false
  const end = (sent: { readonly bytes: number; readonly cut: boolean }): void => {
    if (ended) return
    ended = true
    request.signal.removeEventListener("abort", left)
    for (const release of journey.releases) release()
    const entry = {
      method: request.method,
      node: journey.node,
      status: response.status,
      code: isRefusal(answer) ? answer.code : null,
      millis: context.now() - journey.startedAt,
      upstreamMillis: journey.upstreamMillis,
      ...sent,
    }
    context.meter.finished(entry)
    context.options.onRequest?.(entry)
  }
  // A client that left before it read the body: nobody will pull it any more.
  const left = (): void => end({ bytes: 0, cut: true })
  if (isRefusal(answer) || response.body === null) {
    end({ bytes: 0, cut: request.signal.aborted })
    return response
  }
  if (request.signal.aborted) left()
  else request.signal.addEventListener("abort", left, { once: true })
  return new Response(watched(response.body, end), response)
}

const handle = async <Identity extends GatewayIdentity>(
  context: Context<Identity>,
  request: Request,
): Promise<Response> => {
  const { cors } = context.options
  if (request.method === "OPTIONS") return withCors(cors, request, preflight(cors))
  const journey: Journey = { node: null, releases: [], startedAt: context.now(), upstreamMillis: null }
  const answer = await serve(context, request, journey).catch((cause: unknown) => {
    context.onFault({ where: "gateway", node: journey.node, cause })
    return internal("the request could not be served")
  })
  return withCors(cors, request, accounted(context, request, journey, answer))
}

const closer =
  (waits: Waits, state: { closing: boolean }): Gateway["close"] =>
  async ({ graceMillis = 5_000 } = {}) => {
    state.closing = true
    waits.endWaiting(closing)
    const timer = setTimeout(() => waits.endAll(closing), graceMillis)
    await waits.idle()
    clearTimeout(timer)
  }

/**
 * Makes a gateway.
 *
 * @throws GraphInvalid when the graph is invalid
 * @throws GatewayInvalid with all faults of the options: nodes without a rule, a bad address, a bad limit
 */
export const make = <G extends Graph.Graph, Identity extends GatewayIdentity>(
  options: GatewayOptions<G, Identity>,
): Gateway => {
  const base = checkOptions(options)
  const rules: Readonly<Record<string, Rule<Identity>>> = { ...options.rules }
  const now = options.now ?? (() => Effect.runSync(Clock.currentTimeMillis))
  const context: Context<Identity> = {
    options,
    base,
    graph: options.graph,
    identify: options.identify,
    ruleOf: (node: string) => (Object.hasOwn(rules, node) ? rules[node] : undefined),
    decisions: new Decisions(options.ruleCacheMillis ?? defaultRuleCacheMillis, now),
    limiter: options.limits === false ? null : new Limiter(options.limits),
    waits: new Waits(),
    meter: new Meter(),
    state: { closing: false },
    now,
    onFault: options.onFault ?? (() => undefined),
    upstream: {
      fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
      timeoutMillis: options.upstreamTimeoutMillis ?? defaultUpstreamTimeoutMillis,
      secret: options.electric.secret,
    },
  }
  const { decisions, meter, state, upstream, waits } = context
  return Object.assign((request: Request) => handle(context, request), {
    revoke: (target: RevokeTarget) => {
      decisions.forget(target)
      return waits.recheck(target)
    },
    health: () => healthOf({ base, fetch: upstream.fetch, open: waits.size, closing: state.closing }),
    metrics: () => meter.text(waits.size),
    open: () => waits.size,
    close: closer(waits, state),
  })
}

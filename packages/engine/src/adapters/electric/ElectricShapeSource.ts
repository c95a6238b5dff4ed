/**
 * The shape source over HTTP: Electric's protocol through the official client, without the client's retries, parsing and caches.
 * Exists because the state machine must know of every failure and decide the next attempt itself (design §6). Hosts provide this
 * layer; only the reconciler calls the service.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import { Credentials } from "../../ports/Credentials.ts"
import { EngineConfig } from "../../ports/EngineConfig.ts"
import { ShapeSource, type Subscribe } from "../../ports/ShapeSource.ts"
import { changesOf } from "../../ports/subscriptions.ts"
import { Network, type ShapeErrorReason } from "../../protocol/ShapeError.ts"
import { ConnectionSlots } from "./ConnectionSlots.ts"
import { RequestLog } from "./RequestLog.ts"
import { startRun, type SharedParts } from "./ShapeRun.ts"
import { shapeUrl, type EndpointKind } from "./urls.ts"

export type RequestHeaders = Readonly<Record<string, string>>

export interface ElectricOptions {
  /** The shape endpoint, e.g. `/v1/shape`; relative addresses resolve against the page or worker. */
  readonly url: string
  /** `gateway`: name node and bindings (design §9). `electric`: send the definition itself. */
  readonly kind: EndpointKind
  /** Default: the runtime's. */
  readonly fetch?: typeof globalThis.fetch
  /**
   * Headers of each request, asked anew every time so that a refreshed token is used at once. A function that throws or rejects ends
   * the run with `Network`; an effect says itself why it fails. For tokens that expire, provide `Credentials` instead.
   */
  readonly headers?:
    | Effect.Effect<RequestHeaders, ShapeErrorReason>
    | (() => RequestHeaders | Promise<RequestHeaders>)
  /** Query parameters added to every request (an API secret towards Electric, a source id). */
  readonly params?: Readonly<Record<string, string>>
  /** A body is cut when no byte of it comes for this long. Default 120,000: a large grant may stall (protocol reference §13.9). */
  readonly bodyIdleMillis?: number
}

/** The source on slots that others may share (one origin, several sources). */
export const layerNoDeps = (options: ElectricOptions): Layer.Layer<ShapeSource, never, ConnectionSlots> =>
  Layer.effect(
    ShapeSource,
    Effect.gen(function* () {
      const config = yield* EngineConfig
      const slots = yield* ConnectionSlots
      const log = new RequestLog(config.requestLogCapacity)
      const salt = ((yield* Random.nextInt) >>> 0).toString(36)
      let streams = 0
      const requests = {
        log,
        fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
        headers: headersEffect(options.headers),
        credentials: yield* Credentials,
        slots,
        backoff: config,
        requestTimeoutMillis: config.requestTimeoutMillis,
        bodyIdleMillis: options.bodyIdleMillis ?? 120_000,
      } satisfies SharedParts["requests"]
      const shared: SharedParts = {
        requests,
        url: (instance) => shapeUrl(options.kind, options.url, instance, options.params),
        streamId: () => `${salt}-${++streams}`,
        fork: Effect.runForkWith(yield* Effect.context<never>()),
      }
      const subscribe: Subscribe = (instance, resume, listener) =>
        startRun({ instance, resume, shared }, listener)
      return ShapeSource.of({
        changes: changesOf(subscribe),
        subscribe,
        hold: slots.hold,
        waits: slots.waits,
        connections: () => slots.connections(),
        requests: () => log.entries(),
        prefer: (key, leased) => slots.prefer(key, leased),
        distrust: () => slots.distrust(),
      })
    }),
  )

/** The source with connection slots of its own; limits come from `EngineConfig`, tokens from `Credentials`. */
export const layer = (options: ElectricOptions): Layer.Layer<ShapeSource> =>
  Layer.provide(layerNoDeps(options), ConnectionSlots.layer)

const headersEffect = (
  headers: ElectricOptions["headers"],
): Effect.Effect<RequestHeaders, ShapeErrorReason> => {
  if (headers === undefined) return Effect.succeed({})
  if (Effect.isEffect(headers)) return headers
  return Effect.tryPromise({
    try: async () => await headers(),
    catch: (cause) =>
      new Network({
        message: `no credentials for the request: ${cause instanceof Error ? cause.message : String(cause)}`,
      }),
  })
}

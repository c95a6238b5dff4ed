/**
 * A real engine in this process: any graph, a PGlite, a server by URL; and waiting until it has done what a test expects. Used by
 * whole-pipeline tests and by processes that are killed.
 */
import type { PGlite } from "@electric-sql/pglite"
import assert from "node:assert/strict"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import {
  defaultEngineConfig,
  Engine,
  EngineConfig,
  type EngineConfigShape,
  HostSignals,
  type ShapeSource,
} from "@espalier/engine"
import { ElectricShapeSource } from "@espalier/engine/electric"
import type { GraphData } from "@espalier/engine/graph"
import { PgliteLocalStore } from "@espalier/engine/pglite"

/** How long a test waits for what it expects, when it does not say. */
const boundMillis = 20_000

export interface LocalEngineOptions {
  readonly pglite: Parameters<typeof PgliteLocalStore.layer>[0]["pglite"]
  readonly graph: GraphData
  readonly params?: Readonly<Record<string, string>>
  /** Of the server, without a path. */
  readonly url: string
  /** Where shapes come from. Default: the server itself, without a gateway. */
  readonly source?: Layer.Layer<ShapeSource>
  readonly config?: Partial<EngineConfigShape>
}

/** The layers of a running engine; the store is provided as well. */
export const localEngine = ({ config, graph, params = {}, pglite, source, url }: LocalEngineOptions) =>
  Engine.layer({ graph, params }).pipe(
    Layer.provideMerge(PgliteLocalStore.layer({ pglite, graph })),
    Layer.provide(source ?? ElectricShapeSource.layer({ url: `${url}/v1/shape`, kind: "electric" })),
    Layer.provide(Layer.succeed(HostSignals, HostSignals.alwaysOnline)),
    Layer.provide(
      Layer.succeed(EngineConfig, {
        ...defaultEngineConfig,
        liveSliceMillis: 100,
        maxConnections: 8,
        ...config,
      }),
    ),
  )

/** What a check throws that may still come true. */
export class NotYet extends Error {}

/** Waits until a check no longer throws; the last failure is the test's failure. */
export const eventually = <A, R>(
  check: Effect.Effect<A, never, R>,
  duration = boundMillis,
): Effect.Effect<A, never, R> =>
  check.pipe(
    Effect.sandbox,
    Effect.retry(Schedule.spaced("25 millis").pipe(Schedule.upTo({ duration }))),
    Effect.catch((cause) => Effect.failCause(cause)),
    Effect.orDie,
  )

/** Waits until the graph is live and a query on the local database answers with these rows. */
export const liveWith = (pglite: PGlite, sql: string, expected: ReadonlyArray<unknown>) =>
  eventually(
    Effect.gen(function* () {
      const status = yield* (yield* Engine).status
      const { rows } = yield* Effect.promise(() => pglite.query(sql))
      assert.deepStrictEqual(rows, [...expected])
      if (status.state !== "live")
        throw new NotYet(`state is ${status.state}: ${JSON.stringify(status.nodes)}`)
    }),
  )

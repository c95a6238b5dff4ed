/**
 * One small graph and a running engine on a scripted source, the memory store and a virtual clock. `settle` moves the clock
 * just far enough for everything ready to happen and for the status to be published.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import {
  defaultEngineConfig,
  Engine,
  EngineConfig,
  type EngineConfigShape,
  HostSignals,
  type LocalStore,
} from "@espalier/engine"
import { eq, Graph, identity, param } from "@espalier/engine/graph"
import type { TextRow } from "@espalier/engine/protocol"
import {
  batch,
  del,
  insert,
  MemoryLocalStore,
  ScriptedShapeSource,
  snapshotEnd,
} from "@espalier/engine/testing"

export const graph = Graph.make({
  name: "teams",
  params: { userId: identity("text") },
  tables: {
    seats: { columns: { id: "text", team_id: "text", user_id: "text" }, primaryKey: ["id"] },
    teams: { columns: { id: "text", name: "text" }, primaryKey: ["id"] },
    notes: { columns: { id: "text", team_id: "text" }, primaryKey: ["id"] },
  },
  nodes: {
    mine: { table: "seats", where: eq("user_id", param("userId")), key: "user-{userId}-seats" },
    teams: { table: "teams", parent: "mine", on: { id: "team_id" }, key: "team-{id}" },
    seats: { table: "seats", parent: "teams", on: { team_id: "id" }, key: "team-{id}-seats" },
    notes: {
      table: "notes",
      parent: "teams",
      on: { team_id: "id" },
      key: "team-{id}-notes",
      sync: "onDemand",
      keepForMillis: 10_000,
    },
  },
})

export const mine = "user-u-seats"
const seat = (id: string, team: string): TextRow => ({ id, team_id: team, user_id: "u" })
export const seatIn = (id: string, team: string, lsn: number) => insert("seats", seat(id, team), { lsn })
export const seatOut = (id: string, lsn: number) => del("seats", { id }, { lsn })
export const snapshot = (handle: string, ...messages: ReadonlyArray<ReturnType<typeof insert>>) =>
  batch({ handle, offset: "0_0", messages: [...messages, snapshotEnd()], upToDate: true })
export const seatsSnapshot = (handle: string, ...seats: ReadonlyArray<readonly [id: string, team: string]>) =>
  snapshot(handle, ...seats.map(([id, team]) => insert("seats", seat(id, team))))

/** Lets everything ready happen and the status be published. */
export const settle = TestClock.adjust("100 millis")

/** So many seconds in small steps, so that what one step causes is seen by the next. */
export const pass = (seconds: number): Effect.Effect<void> =>
  Effect.repeat(settle, { times: seconds * 10 - 1 }).pipe(Effect.asVoid)

/** The layers of one engine run over a given store layer. */
export const engineLayer = <A, E, R>(
  store: Layer.Layer<LocalStore | A, E, R>,
  options: { readonly config?: Partial<EngineConfigShape>; readonly signals?: HostSignals["Service"] } = {},
) =>
  Engine.layer({ graph, params: { userId: "u" } }).pipe(
    Layer.provideMerge(store),
    Layer.provideMerge(ScriptedShapeSource.layer),
    Layer.provide(Layer.succeed(HostSignals, options.signals ?? HostSignals.alwaysOnline)),
    Layer.provide(Layer.succeed(EngineConfig, { ...defaultEngineConfig, ...options.config })),
  )

/** An empty store; every test that provides it gets its own. */
export const memory = MemoryLocalStore.layer({ graph })

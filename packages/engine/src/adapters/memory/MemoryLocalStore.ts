/**
 * The local store in plain maps: the same promises as the PGlite store, for tests and simulations. It can be crashed and
 * reopened, and told to fail. It does not run SQL, so nothing but its own methods reads its rows. Called by tests.
 *
 * Invariants: a commit is applied whole or not at all; what a crash finds is exactly what the last commit left.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { GraphData } from "../../graph/Graph.ts"
import {
  type CommitResult,
  type InstanceCommit,
  type InstanceOutcome,
  LocalStore,
  type OwnerRow,
  type StoredInstance,
  StoreError,
} from "../../ports/LocalStore.ts"
import type { TextRow } from "../../protocol/Message.ts"
import type { InstanceKey } from "../../protocol/Shape.ts"
import { compareTexts, decodeKey, type RowKey, ShareRejected } from "../store/rowKey.ts"
import { applyShare, collectInstance, keyOf } from "./memoryShare.ts"
import {
  clear,
  type Journal,
  makeJournal,
  makeState,
  type MemoryInstance,
  type MemoryState,
  put,
  rollback,
} from "./memoryState.ts"

/** Names of the port's operations. */
export type StoreOperation = keyof LocalStore["Service"]

/** When an ordered failure strikes: before anything happened, or after the commit but before its answer. */
export type FailureMoment = "before" | "after"

export interface MemoryStoreControls {
  /** The next call of `operation` fails with this kind. `after`: its work is durable all the same, as when a flush fails. */
  readonly failNext: (
    operation: StoreOperation,
    kind: StoreError["kind"],
    moment?: FailureMoment,
  ) => Effect.Effect<void>
  /** The process dies and the store opens again: staged refetches are gone, everything committed is there. */
  readonly crash: Effect.Effect<void>
  /** The readable rows of a table as Postgres text, sorted by primary key. */
  readonly rows: (table: string) => Effect.Effect<ReadonlyArray<TextRow>>
}

/** Test controls of a memory store, provided beside `LocalStore` by {@link MemoryLocalStore.layer}. */
export class MemoryLocalStore extends Context.Service<MemoryLocalStore, MemoryStoreControls>()(
  "@espalier/engine/adapters/MemoryLocalStore",
) {
  /** A new, empty store for the graph's tables, with its controls. */
  static readonly layer = (options: {
    readonly graph: GraphData
  }): Layer.Layer<LocalStore | MemoryLocalStore> =>
    Layer.effectContext(
      Effect.map(makeMemoryStore(options), ({ controls, store }) =>
        Context.make(LocalStore, store).pipe(Context.add(MemoryLocalStore, controls)),
      ),
    )
}

interface Ordered {
  readonly kind: StoreError["kind"]
  readonly moment: FailureMoment
}

/** Makes a memory store and its controls. */
export const makeMemoryStore = (options: {
  readonly graph: GraphData
}): Effect.Effect<{ readonly store: LocalStore["Service"]; readonly controls: MemoryStoreControls }> =>
  Effect.sync(() => {
    const state = makeState(options.graph.tables)
    const failures = new Map<StoreOperation, Array<Ordered>>()
    const run = <Value>(operation: StoreOperation, body: () => Value): Effect.Effect<Value, StoreError> =>
      Effect.suspend(() => {
        const ordered = failures.get(operation)?.shift()
        const failure = Effect.fail(
          new StoreError({
            operation,
            kind: ordered?.kind ?? "unavailable",
            cause: new Error("the test ordered this failure"),
          }),
        )
        if (ordered?.moment === "before") return failure
        const value = body()
        return ordered === undefined ? Effect.succeed(value) : failure
      })
    const store = LocalStore.of({
      instances: run("instances", () => [...state.instances.values()].map(storedInstance)),
      commit: (shares) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => run("commit", () => commit(state, shares, now))),
      discardStage: (key) => run("discardStage", () => discardStage(state, key)),
      collect: (keys) => run("collect", () => collect(state, keys)),
      ownerRows: (owners, columns) =>
        run("ownerRows", () => owners.map((owner) => ({ owner, rows: ownerRows(state, owner, columns) }))),
      ownerRowsAt: (owner, columns, primaryKeys) =>
        run("ownerRowsAt", () => ownerRowsAt(state, owner, columns, primaryKeys)),
      holders: (table, primaryKey) => run("holders", () => holders(state, table, primaryKey)),
      heldKeys: (key) =>
        run("heldKeys", () =>
          [...(state.instances.get(key)?.held.keys() ?? [])].map(decodeKey).sort(compareTexts),
        ),
      wipe: run("wipe", () => wipe(state)),
    })
    const controls: MemoryStoreControls = {
      failNext: (operation, kind, moment = "before") =>
        Effect.sync(() => {
          failures.set(operation, [...(failures.get(operation) ?? []), { kind, moment }])
        }),
      crash: Effect.sync(() => reopen(state)),
      rows: (table) => Effect.sync(() => rowsOf(state, table)),
    }
    return { store, controls }
  })

const commit = (state: MemoryState, shares: ReadonlyArray<InstanceCommit>, now: number): CommitResult => {
  const whole = makeJournal()
  const outcomes = shares.map((share): InstanceOutcome => {
    const journal = makeJournal()
    try {
      const rows = applyShare(state, journal, share, now)
      merge(whole, journal)
      return { _tag: "Committed", key: share.instance.key, rows }
    } catch (error) {
      rollback(journal)
      if (!(error instanceof ShareRejected)) {
        rollback(whole)
        throw error
      }
      const { kind, message } = error
      return { _tag: "Rejected", key: share.instance.key, table: share.instance.table, kind, message }
    }
  })
  return { outcomes, changes: changesOf(whole) }
}

const collect = (state: MemoryState, keys: ReadonlyArray<InstanceKey>): CommitResult => {
  const journal = makeJournal()
  const known = [...new Set(keys)].flatMap((key) => state.instances.get(key) ?? [])
  for (const instance of known) collectInstance(state, journal, instance)
  return {
    outcomes: known.map(({ key }) => ({ _tag: "Committed", key, rows: 0 })),
    changes: changesOf(journal),
  }
}

const discardStage = (state: MemoryState, key: InstanceKey): void => {
  const instance = state.instances.get(key)
  if (instance === undefined) return
  state.instances.set(key, { ...instance, swapped: false })
  if (!instance.staging) return
  const journal = makeJournal()
  clear(journal, instance.stage)
  put(journal, state.instances, key, {
    ...instance,
    swapped: false,
    staging: false,
    stageHandle: null,
    pending: null,
  })
}

/** What opening the store does: a staged refetch is forgotten, and doubtful tags are no starting point. */
const reopen = (state: MemoryState): void => {
  for (const instance of [...state.instances.values()]) {
    if (instance.staging) discardStage(state, instance.key)
    if (instance.tagsDoubtful) state.instances.set(instance.key, { ...instance, handle: null, offset: null })
  }
}

const wipe = (state: MemoryState): void => {
  state.instances.clear()
  for (const table of state.tables.values()) {
    table.rows.clear()
    table.holders.clear()
  }
}

const storedInstance = (instance: MemoryInstance): StoredInstance => ({
  key: instance.key,
  node: instance.node,
  table: instance.table,
  bindings: instance.bindings,
  hash: instance.hash,
  checkpoint:
    instance.handle === null || instance.offset === null || instance.tagsDoubtful
      ? null
      : { handle: instance.handle, offset: instance.offset },
  complete: instance.complete,
  lastUpToDateAt: instance.lastUpToDateAt,
  rows: instance.held.size,
})

/** The row's values, or null when the instance does not hold it or one of them is NULL. */
const valuesAt = (
  state: MemoryState,
  instance: MemoryInstance | undefined,
  columns: ReadonlyArray<string>,
  key: RowKey,
): OwnerRow["values"] => {
  if (instance === undefined || !instance.held.has(key)) return null
  const row = state.tables.get(instance.table)?.rows.get(key)?.values
  const texts = columns.map((column) => row?.[column] ?? null).filter((value) => value !== null)
  return texts.length === columns.length ? texts : null
}

const ownerRows = (
  state: MemoryState,
  owner: InstanceKey,
  columns: ReadonlyArray<string>,
): ReadonlyArray<OwnerRow> => {
  const instance = state.instances.get(owner)
  const rows: Array<{ readonly key: ReadonlyArray<string>; readonly values: ReadonlyArray<string> }> = []
  for (const key of instance?.held.keys() ?? []) {
    const values = valuesAt(state, instance, columns, key)
    if (values !== null) rows.push({ key: decodeKey(key), values })
  }
  return rows.sort(
    (left, right) => compareTexts(left.values, right.values) || compareTexts(left.key, right.key),
  )
}

const ownerRowsAt = (
  state: MemoryState,
  owner: InstanceKey,
  columns: ReadonlyArray<string>,
  primaryKeys: ReadonlyArray<ReadonlyArray<string>>,
): ReadonlyArray<OwnerRow> => {
  const instance = state.instances.get(owner)
  const table = instance === undefined ? undefined : state.tables.get(instance.table)
  return primaryKeys.map((primaryKey) => {
    if (table === undefined) return { key: primaryKey, values: null }
    const key = keyOf(table, primaryKey)
    return { key: decodeKey(key), values: valuesAt(state, instance, columns, key) }
  })
}

const holders = (
  state: MemoryState,
  name: string,
  primaryKey: ReadonlyArray<string>,
): ReadonlyArray<InstanceKey> => {
  const table = state.tables.get(name)
  return table === undefined ? [] : [...(table.holders.get(keyOf(table, primaryKey)) ?? [])].sort()
}

const rowsOf = (state: MemoryState, name: string): ReadonlyArray<TextRow> =>
  [...(state.tables.get(name)?.rows ?? [])]
    .map(([key, cell]) => ({ key: decodeKey(key), values: cell.values }))
    .sort((left, right) => compareTexts(left.key, right.key))
    .map(({ values }) => values)

const merge = (whole: Journal, part: Journal): void => {
  for (const undo of part.undo) whole.undo.push(undo)
  for (const [table, counts] of part.counts) {
    const sum = whole.counts.get(table) ?? { inserted: 0, updated: 0, deleted: 0 }
    sum.inserted += counts.inserted
    sum.updated += counts.updated
    sum.deleted += counts.deleted
    whole.counts.set(table, sum)
  }
}

const changesOf = (journal: Journal): CommitResult["changes"] => Object.fromEntries(journal.counts)

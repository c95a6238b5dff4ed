/**
 * The local store on PGlite: rows, provenance, tags, versions and checkpoints, committed together (design §5). The one writer to
 * the application tables. It opens no database and closes none: the host does. Called by the reconciler.
 *
 * All work runs in `pglite.transaction`, because raw calls outside it would land in whichever transaction is open; every
 * change is flushed with `syncToFs` before it is acknowledged, because a transaction's COMMIT is not (PGlite reference §5).
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { GraphData } from "../../graph/Graph.ts"
import { LocalStore, type StoreError } from "../../ports/LocalStore.ts"
import { collectKeys, commitCarefully, commitTogether } from "./commitShare.ts"
import { storeError } from "./errors.ts"
import { upkeepWhileIdle } from "./idleUpkeep.ts"
import { loadInstance, storedInstances } from "./instanceRows.ts"
import { heldKeys, holders, ownerRows, ownerRowsAt } from "./reads.ts"
import { openSchema, plansOf } from "./schema.ts"
import { makeTransactions, type PgliteDatabase, type Transactions } from "./transactions.ts"
import { type Changes, changesOf, forget, type Plans, type Tx } from "./session.ts"
import { clearStage } from "./stageStatements.ts"

export interface PgliteLocalStoreOptions {
  /** Open and ready; the store never closes it. */
  readonly pglite: PgliteDatabase
  readonly graph: GraphData
  /** Rows of a first snapshot from which on they are sent by COPY. Default 50: to begin one costs as much as some ten rows. */
  readonly fewestCopied?: number
}

/**
 * Opens the store: creates or changes the graph's tables, then answers. A table whose declaration changed is dropped with its
 * instances, which refetch.
 *
 * @error StoreError `schema` when the app already has another table of a declared name
 */
const open = Effect.fn("PgliteLocalStore.open")(function* (options: PgliteLocalStoreOptions, idles: boolean) {
  const { graph, pglite } = options
  const plans = plansOf(graph)
  const transactions = makeTransactions(pglite, plans, options.fewestCopied ?? 50, idles)
  const read = attempt(transactions.read)
  const write = attempt(transactions.write)
  const commitError = storeError("commit")
  yield* write("open", (tx) => openSchema(tx, graph, plans))
  for (const { rows, table } of yield* read("open", storedInstances)) transactions.upkeep.holds(table, rows)
  const store = LocalStore.of({
    instances: read("instances", storedInstances),
    // The hot path of a running app: a generator and a span of its own would cost as much as the row does.
    commit: (shares) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.uninterruptible(
          Effect.tryPromise({
            try: () =>
              transactions.commit(
                (tx) => commitTogether(tx, plans, shares, now),
                (tx) => commitCarefully(tx, plans, shares, now),
              ),
            catch: commitError,
          }),
        ),
      ),
    discardStage: (key) => write("discardStage", (tx) => discardStage(tx, plans, key)),
    collect: Effect.fn("LocalStore.collect")(function* (keys) {
      const result = yield* write("collect", async (tx) => {
        const changes: Changes = new Map()
        const collected = await collectKeys(tx, plans, keys, changes)
        const outcomes = collected.map((key) => ({ _tag: "Committed", key, rows: 0 }) as const)
        return { outcomes, changes: changesOf(changes) }
      })
      transactions.note(result)
      return result
    }),
    ownerRows: (owners, columns) => read("ownerRows", (tx) => ownerRows(tx, plans, owners, columns)),
    ownerRowsAt: (owner, columns, primaryKeys) =>
      read("ownerRowsAt", (tx) => ownerRowsAt(tx, plans, owner, columns, primaryKeys)),
    holders: (table, primaryKey) => read("holders", (tx) => holders(tx, plans, table, primaryKey)),
    heldKeys: (key) => read("heldKeys", (tx) => heldKeys(tx, plans, key)),
    wipe: write("wipe", (tx) => wipe(tx, plans)),
  })
  return { store, transactions }
})

/** The store by itself, without a fiber of its own: upkeep then runs before the next operation when it is due. */
const make = (options: PgliteLocalStoreOptions): Effect.Effect<LocalStore["Service"], StoreError> =>
  Effect.map(open(options, false), ({ store }) => store)

/** The store as a layer over an open database, which it keeps up while nobody waits. */
const layer = (options: PgliteLocalStoreOptions): Layer.Layer<LocalStore, StoreError> =>
  Layer.effect(
    LocalStore,
    Effect.gen(function* () {
      const { store, transactions } = yield* open(options, true)
      yield* Effect.forkScoped(upkeepWhileIdle(transactions))
      return store
    }),
  )

export const PgliteLocalStore = { layer, make } as const
export type { PgliteDatabase } from "./transactions.ts"

/** Runs one transaction that an interruption cannot cut, and names what failed. */
const attempt =
  (run: Transactions["write"]) =>
  <Value>(operation: string, body: (tx: Tx) => Promise<Value>): Effect.Effect<Value, StoreError> =>
    Effect.uninterruptible(Effect.tryPromise({ try: () => run(body), catch: storeError(operation) }))

const discardStage = async (tx: Tx, plans: Plans, key: string): Promise<void> => {
  const instance = await loadInstance(tx, key)
  if (instance === null) return
  tx.known.delete(key)
  if (!instance.staging) {
    await tx.query("update espalier.instances set swapped = false where id = $1", [instance.id])
    return
  }
  const plan = plans.get(instance.table)
  if (plan !== undefined) await tx.query(clearStage(plan), [instance.id])
  await tx.query(
    "update espalier.instances set staging = false, stage_handle = null, pending_snapshot = null, swapped = false where id = $1",
    [instance.id],
  )
}

/** DELETE tells live queries, whose triggers do not see TRUNCATE; TRUNCATE then leaves no row's bytes in the files. */
const wipe = async (tx: Tx, plans: Plans): Promise<void> => {
  forget(tx)
  tx.overlapping.clear()
  for (const { app, held, stage } of plans.values()) {
    await tx.exec(`delete from ${app}; truncate ${app}, ${held}, ${stage}`)
  }
  await tx.exec(
    "truncate espalier.instances, espalier.snapshots; update espalier.tables set shared = false, explicit = false, spilled = false",
  )
}

/**
 * Transactions of the store on one open database: over the raw protocol where the database lets us hold its lock, else through its own
 * `transaction`. Exists so that no other file knows which. Every change is flushed with `syncToFs` before it is acknowledged, because
 * a COMMIT is not (PGlite reference §5). Called by `PgliteLocalStore.ts`.
 */
import type { PGlite } from "@electric-sql/pglite"
import * as Latch from "effect/Latch"
import type { CommitResult } from "../../ports/LocalStore.ts"
import { guardFailed, sqlState } from "./errors.ts"
import type { InstanceRow } from "./instanceRows.ts"
import { RawSession } from "./RawSession.ts"
import { forget, type Plans, type Tx } from "./session.ts"
import type { TableState } from "./tableStates.ts"
import { type Moment, Upkeep } from "./Upkeep.ts"

/** What the store needs of a PGlite instance. The optional part makes it several times faster. */
export type PgliteDatabase = Pick<PGlite, "transaction" | "syncToFs"> &
  Partial<Pick<PGlite, "execProtocol" | "_runExclusiveTransaction">>

export interface Transactions {
  readonly read: <Value>(body: (tx: Tx) => Promise<Value>) => Promise<Value>
  readonly write: <Value>(body: (tx: Tx) => Promise<Value>) => Promise<Value>
  /** A transaction whose result is known behind its COMMIT. What fails is tried a second time, the careful way. */
  readonly commit: (
    together: (tx: Tx) => Promise<() => CommitResult>,
    carefully: (tx: Tx) => Promise<() => CommitResult>,
  ) => Promise<CommitResult>
  /** Counts what tables hold and what was done to them; see `Upkeep.ts`. */
  readonly upkeep: Upkeep
  /** Takes in what an operation other than a commit changed. */
  readonly note: (result: CommitResult) => void
  /** Open when some upkeep would run if nobody waited. */
  readonly upkeepDue: Latch.Latch
  /** Operations begun so far: while this does not grow, nobody waits. */
  readonly operations: () => number
  /** Runs the upkeep that is due while nobody waits. */
  readonly keepUpIdle: () => Promise<void>
}

type Run = <Value>(body: (tx: Tx) => Promise<Value>, changes: boolean) => Promise<Value>

/**
 * Triggers of the app can tell our writes from the user's, and cached plans are used from the first time on; both end with the
 * transaction.
 */
const settings = `select set_config('espalier.syncing', 'on', true), set_config('plan_cache_mode', 'force_generic_plan', true)`

/** Transactions on a database. `idles`: somebody calls `keepUpIdle` in quiet moments. */
export const makeTransactions = (
  pglite: PgliteDatabase,
  plans: Plans,
  fewestCopied: number,
  idles: boolean,
): Transactions => {
  // Without a fiber that does it in quiet moments, upkeep is done when it is due, whoever waits.
  const waiting: Moment = idles ? "busy" : "idle"
  const known = new Map<string, InstanceRow>()
  const tables = new Map<string, TableState>()
  const overlapping = new Set<number>()
  const { execProtocol, _runExclusiveTransaction: lock } = pglite
  const raw =
    execProtocol === undefined || lock === undefined
      ? null
      : new RawSession({ execProtocol: (message, options) => execProtocol.call(pglite, message, options) })
  const run: Run =
    raw === null || lock === undefined
      ? (body, changes) =>
          plainly(pglite, { known, tables, overlapping, fewestCopied, raw: null }, body, changes)
      : (body, changes) =>
          lock.call(pglite, () =>
            rawly(raw, { known, tables, overlapping, fewestCopied }, body, changes),
          ) as ReturnType<typeof body>
  const upkeep = new Upkeep()
  const upkeepDue = Latch.makeUnsafe(false)
  // VACUUM runs in no transaction; without the raw protocol there is no way to hold the lock around it.
  const keepUp = async (moment: Moment): Promise<void> => {
    if (raw === null || lock === undefined) return
    for (const statement of upkeep.due(plans, moment)) await lock.call(pglite, () => raw.alone(statement))
  }
  let operations = 0
  const write: Transactions["write"] = async (body) => {
    operations += 1
    if (upkeep.isDue(waiting)) await keepUp(waiting)
    try {
      const value = await run(body, true)
      await pglite.syncToFs()
      return value
    } catch (error) {
      forget({ known, tables })
      throw error
    }
  }
  const note = ({ changes }: CommitResult): void => {
    upkeep.note(changes, raw?.takeSent() ?? 0)
    if (upkeep.isDue("idle")) Latch.openUnsafe(upkeepDue)
  }
  const noted = (result: CommitResult): CommitResult => {
    note(result)
    return result
  }
  return {
    upkeep,
    note,
    upkeepDue,
    operations: () => operations,
    keepUpIdle: () => keepUp("idle"),
    read: async (body) => {
      operations += 1
      if (upkeep.isDue(waiting)) await keepUp(waiting)
      return run(body, false)
    },
    write,
    commit: async (together, carefully) => {
      if (raw === null) return noted((await write(carefully))())
      try {
        return noted((await write(together))())
      } catch (error) {
        // Whatever it was, the careful way finds it again and says whose it is. Unless a guard failed, somebody may have deallocated.
        if (sqlState(error) !== guardFailed) raw.forget()
        return noted((await write(carefully))())
      }
    },
  }
}

const plainly = <Value>(
  pglite: PgliteDatabase,
  state: Omit<Tx, "copies" | "query" | "exec">,
  body: (tx: Tx) => Promise<Value>,
  changes: boolean,
): Promise<Value> =>
  pglite.transaction(async (tx) => {
    if (changes) await tx.exec("set local espalier.syncing = 'on'")
    return body({
      ...state,
      copies: [],
      query: (sql, params) => tx.query(sql, params),
      exec: (sql) => tx.exec(sql),
    })
  })

const rawly = async <Value>(
  raw: RawSession,
  state: Omit<Tx, "copies" | "query" | "exec" | "raw">,
  body: (tx: Tx) => Promise<Value>,
  changes: boolean,
): Promise<Value> => {
  if (!raw.isOpen) await raw.open()
  raw.begin(changes ? settings : null)
  try {
    const value = await body({
      ...state,
      raw,
      copies: [],
      query: (sql, params) => raw.query(sql, params),
      exec: (sql) => raw.exec(sql),
    })
    await raw.commit()
    return value
  } catch (error) {
    raw.discard()
    await raw.exec("rollback")
    throw error
  }
}

/**
 * Rows of a first snapshot into a table with entries: copied beside in binary, then sorted by Postgres in one statement. Rows nobody
 * holds become readable at once; rows others hold wait in the stage for the `snapshot-end`. Exists because asking for each row
 * and telling it back costs more than writing it. Called by `appendShare.ts`.
 */
import type { Put } from "../store/fold.ts"
import { addHeld, type Applying, storedVersion } from "./applying.ts"
import { copyInto, isPlain, rowsPerCopy } from "./copyShare.ts"
import { sqlState } from "./errors.ts"
import { addCounts, select } from "./session.ts"
import { settleWaiting } from "./settle.ts"
import { once, sameKey, sideName, type TablePlan } from "./sql.ts"
import type { Counts } from "./statements.ts"

const uniqueViolation = "23505"

const incomingOf = (plan: TablePlan): string =>
  `pg_temp."${sideName("in_", plan.def.name).replaceAll('"', '""')}"`

const createIncoming = (plan: TablePlan): string =>
  `create temp table if not exists ${incomingOf(plan)} (${[
    ...plan.columns.map(({ quoted, type }) => `${quoted} ${type}`),
    `${plan.own.tags} text[]`,
    `${plan.own.active} bool[]`,
  ].join(", ")})`

/** Parameters: the instance, and the snapshot its rows were read by. */
const sortIncoming = (plan: TablePlan): string =>
  once(plan, "sort incoming", () => {
    const { own } = plan
    const columns = plan.columns.map(({ quoted }) => quoted).join(", ")
    const keys = plan.keys.map(({ quoted }) => quoted).join(", ")
    const version = [own.lsn, own.op, own.txid, own.snapshot, own.writer]
    const kept = version.map((column, index) => `p.${column} as o${index}`).join(", ")
    const chosen = version.map((_, index) => {
      const mine = index === 3 ? "$2::int4" : index === 4 ? "$1::int4" : "null"
      return `case when held then o${index} else ${mine} end`
    })
    return `with found as materialized (select i.*, p.${own.instance} is not null as held, ${kept}
        from ${incomingOf(plan)} i
        left join lateral (select * from ${plan.held} p where ${sameKey(plan, "p", "i")} limit 1) p on true),
      waiting as (insert into ${plan.stage} (${columns}, ${own.instance}) select ${columns}, $1::int4 from found where held returning 1),
      app as (insert into ${plan.app} (${columns}) select ${columns} from found where not held returning 1),
      entries as (insert into ${plan.held} (${keys}, ${own.instance}, ${version.join(", ")}, ${own.tags}, ${own.active})
        select ${keys}, $1::int4, ${chosen.join(", ")}, ${own.tags}, ${own.active} from found returning 1)
      select (select count(*) from app)::int4 as inserted, (select count(*) from entries)::int4 as held,
        (select count(*) from waiting)::int4 as waiting`
  })

/** Takes the rows in when they are a first snapshot's. False when nothing was done. */
export const bulkRows = async (applying: Applying, puts: ReadonlyArray<Put>): Promise<boolean> => {
  const { instance, plan, tx } = applying
  const { raw } = tx
  const [first] = puts
  if (raw === null || first?.version._tag !== "Snapshot" || instance.complete) return false
  if (puts.length < tx.fewestCopied || !isPlain(plan, puts, first)) return false
  const { snapshot } = await storedVersion(applying, first.version)
  const target = { table: incomingOf(plan) }
  const counts: Array<Counts & { readonly waiting?: number }> = []
  await raw.exec(`savepoint sorting; ${createIncoming(plan)}; truncate ${incomingOf(plan)}`)
  try {
    for (let from = 0; from < puts.length; from += rowsPerCopy) {
      if (!(await copyInto(applying, target, puts.slice(from, from + rowsPerCopy)))) {
        await raw.exec("rollback to savepoint sorting; release savepoint sorting")
        return false
      }
    }
    counts.push(...(await select<Counts>(tx, sortIncoming(plan), [instance.id, snapshot])))
    await raw.exec(`truncate ${incomingOf(plan)}; release savepoint sorting`)
  } catch (error) {
    if (sqlState(error) !== uniqueViolation) throw error
    await raw.exec("rollback to savepoint sorting; release savepoint sorting")
    return false
  }
  for (const count of counts) {
    addCounts(applying.changes, plan.def.name, { inserted: count.inserted ?? 0 })
    addHeld(applying, count.held ?? 0)
    if ((count.waiting ?? 0) > 0 && first.version.visibility !== "pending")
      await settleWaiting(applying, first.version.visibility)
  }
  return true
}

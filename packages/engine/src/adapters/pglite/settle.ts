/**
 * The `snapshot-end` (or the up-to-date) of rows that waited for it has come: those that win become readable. Set-based: versions are
 * judged once each, however many rows have them. Called by `commitShare.ts` and `bulkShare.ts`.
 */
import { judge, type Visibility } from "../store/version.ts"
import { type Applying, storedVersion } from "./applying.ts"
import { addCounts, select, versionOfRow, type VersionRow } from "./session.ts"
import { isEntryOf, once, sameKey, type TablePlan } from "./sql.ts"
import { type Counts, upsertApp, versionColumns } from "./statements.ts"

/** Makes readable what wins among the waiting rows of the share's instance. */
export const settleWaiting = async (applying: Applying, visibility: Visibility): Promise<void> => {
  const { instance, plan, tx } = applying
  const versions = await select<VersionRow>(tx, waitingVersions(plan), [instance.id])
  if (versions.length === 0) return
  const lost = versions.filter(
    (row) => judge({ _tag: "Snapshot", visibility }, versionOfRow(row)) !== "write",
  )
  const { snapshot } = await storedVersion(applying, { _tag: "Snapshot", visibility })
  const [counts] = await select<Counts>(tx, settleRows(plan), [
    instance.id,
    lost.flatMap((row) => (row.lsn === null ? (row.snapshot ?? []) : [])),
    lost.flatMap((row) => (row.lsn === null ? [] : (row.txid ?? []))),
    snapshot,
  ])
  addCounts(applying.changes, plan.def.name, counts ?? {})
}

/**
 * The different versions among the readable rows that those of the instance `$1` wait for. Every entry of a row tells its version, also
 * the instance's own.
 */
const waitingVersions = (plan: TablePlan): string =>
  once(plan, "waiting versions", () => {
    const { own } = plan
    return `select distinct ${versionColumns(plan, "p", false)}
      from ${plan.stage} s join ${plan.held} p on ${sameKey(plan, "p", "s")} and ${isEntryOf(plan, "p", "$1::int4")}
      left join espalier.snapshots x on x.id = p.${own.snapshot} where s.${own.instance} = $1::int4`
  })

/**
 * Parameters: the instance, the snapshots and the transactions that win against it, its own snapshot. A value that another instance's open
 * snapshot wrote is put aside for it before it is overwritten. An instance never argues with itself.
 */
const settleRows = (plan: TablePlan): string =>
  once(plan, "settle", () => {
    const { own } = plan
    const columns = plan.columns.map(({ quoted }) => quoted).join(", ")
    const keys = plan.keys.map(({ quoted }) => quoted).join(", ")
    const of = (alias: string): string => plan.columns.map(({ quoted }) => `${alias}.${quoted}`).join(", ")
    return `with won as materialized (
        select ${of("s")}, p.${own.writer} as o_writer, p.${own.lsn} as o_lsn, p.${own.snapshot} as o_snapshot
        from ${plan.stage} s join ${plan.held} p on ${sameKey(plan, "p", "s")} and ${isEntryOf(plan, "p", "$1::int4")}
        where s.${own.instance} = $1::int4 and (p.${own.writer} = $1::int4 or (case when p.${own.lsn} is null
          then p.${own.snapshot} = any($2::int4[]) else p.${own.txid} = any($3::int8[]) end) is not true)),
      aside as (insert into ${plan.stage} as s (${columns}, ${own.instance}) select ${of("t")}, w.o_writer
        from won w join ${plan.app} t on ${sameKey(plan, "t", "w")}
        join ${plan.held} q on ${sameKey(plan, "q", "w")} and ${isEntryOf(plan, "q", "w.o_writer")}
        join espalier.snapshots x on x.id = w.o_snapshot and x.state = 'pending'
        where w.o_writer <> $1::int4 and w.o_lsn is null
        on conflict (${keys}, ${own.instance}) do update set
          ${plan.columns.map(({ quoted }) => `${quoted} = excluded.${quoted}`).join(", ")}),
      app as (${upsertApp(plan, plan.columns, `select ${of("w")} from won w`)}),
      revised as (update ${plan.held} p set ${own.lsn} = null, ${own.op} = null, ${own.txid} = null, ${own.snapshot} = $4::int4,
        ${own.writer} = $1::int4 from won w where ${sameKey(plan, "p", "w")}),
      done as (delete from ${plan.stage} s where s.${own.instance} = $1::int4)
      select (select count(*) from app where fresh)::int4 as inserted, (select count(*) from app where not fresh)::int4 as updated`
  })

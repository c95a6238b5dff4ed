/**
 * The statements on staged rows: writing them beside the readable ones, and making them readable, either those that waited
 * for a `snapshot-end` or a whole refetch at its swap. Pure text, in the manner of `statements.ts`. Called by `stageShare.ts`.
 */
import {
  type Field,
  fieldsOf,
  inputOf,
  keyIsInput,
  type PlanColumn,
  sameKey,
  tagFields,
  type TablePlan,
  versionFields,
} from "./sql.ts"
import { deleteOrphans, upsertApp, upsertHeld, versionColumns } from "./statements.ts"

const names = (columns: ReadonlyArray<PlanColumn>): string => columns.map(({ quoted }) => quoted).join(", ")

/** A staged row has no writer: it is its instance's. */
const stagedVersion = versionFields.filter(({ as }) => as !== "v_writer")

/** Fields of {@link stageRows}. */
export const stageFields = (columns: ReadonlyArray<PlanColumn>): ReadonlyArray<Field> => [
  ...fieldsOf(columns),
  ...stagedVersion,
  ...tagFields,
]

/** Writes rows to the stage of the instance (last parameter). */
export const stageRows = (plan: TablePlan, columns: ReadonlyArray<PlanColumn>): string => {
  const { own } = plan
  const fields = stageFields(columns)
  const ours = [own.lsn, own.op, own.txid, own.snapshot, own.tags, own.active]
  const set = [...columns.map(({ quoted }) => quoted), ...ours]
  return `with ${inputOf(fields)}
    insert into ${plan.stage} (${names(columns)}, ${ours.join(", ")}, ${own.instance})
    select ${fields.map(({ as }) => as).join(", ")}, $${fields.length + 1}::int4 from input
    on conflict (${names(plan.keys)}, ${own.instance}) do update set ${set.map((column) => `${column} = excluded.${column}`).join(", ")}`
}

/** Fields of {@link patchStage}. */
export const patchStageFields = (
  plan: TablePlan,
  columns: ReadonlyArray<PlanColumn>,
): ReadonlyArray<Field> => [...fieldsOf(plan.keys), ...fieldsOf(columns), ...stagedVersion]

/** Changes some columns of staged rows. */
export const patchStage = (plan: TablePlan, columns: ReadonlyArray<PlanColumn>): string => {
  const { own } = plan
  const fields = patchStageFields(plan, columns)
  const set = [
    ...columns.map(({ quoted, input }) => `${quoted} = input.${input}`),
    `${own.lsn} = v_lsn`,
    `${own.op} = v_op`,
    `${own.txid} = v_txid`,
    `${own.snapshot} = v_snapshot`,
  ]
  return `with ${inputOf(fields)} update ${plan.stage} as s set ${set.join(", ")}
    from input where ${keyIsInput(plan, "s")} and s.${own.instance} = $${fields.length + 1}::int4`
}

/** Removes rows from the stage of the instance. */
export const unstageRows = (plan: TablePlan): string =>
  `with ${inputOf(fieldsOf(plan.keys))} delete from ${plan.stage} s using input
    where ${keyIsInput(plan, "s")} and s.${plan.own.instance} = $${plan.keys.length + 1}::int4`

/** Empties the stage of the instance `$1`. */
export const clearStage = (plan: TablePlan): string =>
  `delete from ${plan.stage} where ${plan.own.instance} = $1::int4`

const keyTexts = (plan: TablePlan): string =>
  plan.keys.map((key, index) => `s.${key.quoted}::text as k${index}`).join(", ")

/** Staged rows of the instance `$1` that another instance wrote or holds: their own version and tags, and the readable one's. */
export const contestedRows = (plan: TablePlan): string => {
  const { own } = plan
  return `select ${keyTexts(plan)}, p.${own.instance} as holder, s.${own.tags} as tags, s.${own.active} as active,
      s.${own.lsn}::text as s_lsn, s.${own.op}::text as s_op, s.${own.txid}::text as s_txid, s.${own.snapshot} as s_snapshot,
      y.state as s_state, y.seen_xmin as s_xmin, y.seen_xmax as s_xmax, y.seen_xip as s_xip_list, ${versionColumns(plan, "p", true)}
    from ${plan.stage} s join ${plan.held} p on ${sameKey(plan, "p", "s")}
    left join espalier.snapshots x on x.id = p.${own.snapshot}
    left join espalier.snapshots y on y.id = s.${own.snapshot}
    where s.${own.instance} = $1::int4 and (p.${own.instance} <> $1::int4 or p.${own.writer} <> $1::int4)`
}

/** Makes all staged rows of an instance readable and held, except the named ones, which others wrote later. */
export const swapRows = (plan: TablePlan): string => {
  const { own } = plan
  const instance = `$${plan.keys.length + 1}::int4`
  const staged = (columns: ReadonlyArray<string>): string =>
    `select ${columns.map((column) => `s.${column}`).join(", ")} from ${plan.stage} s where s.${own.instance} = ${instance}
      and not exists (select 1 from lost where ${keyIsInput(plan, "s", "lost")})`
  const ours = [own.instance, own.lsn, own.op, own.txid, own.snapshot, own.instance, own.tags, own.active]
  return `with ${inputOf(fieldsOf(plan.keys), 1, "lost")},
    app as (${upsertApp(plan, plan.columns, staged(plan.columns.map(({ quoted }) => quoted)))}),
    held as (${upsertHeld(plan, staged([...plan.keys.map(({ quoted }) => quoted), ...ours]))})
    select (select count(*) from app where fresh)::int4 as inserted, (select count(*) from app where not fresh)::int4 as updated,
      (select count(*) from held)::int4 as held`
}

/** Lets go of the rows of the instance `$1` that are not staged; those that nobody else holds are deleted. */
export const dropUnstaged = (plan: TablePlan): string => {
  const { own } = plan
  return `with gone as (delete from ${plan.held} p where p.${own.instance} = $1::int4
      and not exists (select 1 from ${plan.stage} s where s.${own.instance} = $1::int4 and ${sameKey(plan, "s", "p")})
      returning ${plan.keys.map(({ quoted }) => `p.${quoted}`).join(", ")}),
    ${deleteOrphans(plan, `o.${own.instance} <> $1::int4`)}
    select (select count(*) from dead)::int4 as deleted`
}

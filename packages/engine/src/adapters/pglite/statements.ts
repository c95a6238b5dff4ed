/**
 * The statements that change readable rows and provenance: set-based, one per kind of change and set of columns. Pure text
 * with numbered parameters: the arrays of the fields named first, then `instance` as the last parameter. Each returns
 * one row of counts. Called by `appendShare.ts` and `collect.ts`.
 */
import {
  columnsName,
  differs,
  type Field,
  fieldsOf,
  inputOf,
  isEntryOf,
  keyIsInput,
  once,
  type PlanColumn,
  sameKey,
  tagFields,
  type TablePlan,
  versionFields,
} from "./sql.ts"

/** What a statement did: rows of the local table, and provenance rows added or removed. */
export interface Counts {
  readonly inserted?: number
  readonly updated?: number
  readonly deleted?: number
  readonly held?: number
}

const names = (columns: ReadonlyArray<PlanColumn>): string => columns.map(({ quoted }) => quoted).join(", ")
const inputs = (columns: ReadonlyArray<PlanColumn>): string => columns.map(({ input }) => input).join(", ")
const without = (
  columns: ReadonlyArray<PlanColumn>,
  keys: ReadonlyArray<PlanColumn>,
): ReadonlyArray<PlanColumn> => columns.filter((column) => !keys.includes(column))

/**
 * An upsert into the local table that touches only rows that differ; `select` yields the columns in order. `insist` is asked of a row
 * `t` that is there, before anything else.
 */
export const upsertApp = (
  plan: TablePlan,
  columns: ReadonlyArray<PlanColumn>,
  select: string,
  insist?: string,
): string => {
  const rest = without(columns, plan.keys).map(({ quoted }) => quoted)
  const key = plan.keys[0]?.quoted ?? ""
  const keyOnly = // Rows alike in their key are alike; the guard is named all the same, because its parameters are given.
    insist === undefined ? "do nothing" : `do update set ${key} = excluded.${key} where false and ${insist}`
  const action =
    rest.length === 0
      ? keyOnly
      : `do update set ${rest.map((column) => `${column} = excluded.${column}`).join(", ")} where ${insist === undefined ? "" : `${insist} and `}${differs(
          rest,
          (column) => `t.${column}`,
          (column) => `excluded.${column}`,
        )}`
  return `insert into ${plan.app} as t (${names(columns)}) ${select}
    on conflict (${names(plan.keys)}) ${action}
    returning with (old as was) was.${plan.keys[0]?.quoted ?? ""} is null as fresh`
}

/** An upsert into provenance; `select` yields keys, instance, version with writer, tags. */
export const upsertHeld = (plan: TablePlan, select: string): string => {
  const { own } = plan
  const rest = [own.lsn, own.op, own.txid, own.snapshot, own.writer, own.tags, own.active]
  return `insert into ${plan.held} as p (${names(plan.keys)}, ${own.instance}, ${rest.join(", ")}) ${select}
    on conflict (${names(plan.keys)}, ${own.instance}) do update set ${rest.map((column) => `${column} = excluded.${column}`).join(", ")}
    returning with (old as was) was.${own.instance} is null as fresh`
}

const versionInputs = versionFields.map(({ as }) => as).join(", ")
const tagInputs = tagFields.map(({ as }) => as).join(", ")

/** Fields of {@link putRows}. */
export const putFields = (columns: ReadonlyArray<PlanColumn>): ReadonlyArray<Field> => [
  ...fieldsOf(columns),
  ...versionFields,
  ...tagFields,
]

/** Writes rows and records that the instance holds them. */
export const putRows = (plan: TablePlan, columns: ReadonlyArray<PlanColumn>): string =>
  once(plan, `put ${columnsName(columns)}`, () => buildPut(plan, columns))

const buildPut = (plan: TablePlan, columns: ReadonlyArray<PlanColumn>): string => {
  const fields = putFields(columns)
  return `with ${inputOf(fields)},
    app as (${upsertApp(plan, columns, `select ${inputs(columns)} from input`)}),
    held as (${upsertHeld(plan, `select ${inputs(plan.keys)}, $${fields.length + 1}::int4, ${versionInputs}, ${tagInputs} from input`)})
    select (select count(*) from app where fresh)::int4 as inserted, (select count(*) from app where not fresh)::int4 as updated,
      (select count(*) from held where fresh)::int4 as held`
}

/** Fields of {@link holdRows}. */
export const holdFields = (plan: TablePlan): ReadonlyArray<Field> => putFields(plan.keys)

/** Records that the instance holds rows whose values others wrote later. */
export const holdRows = (plan: TablePlan): string => {
  const fields = holdFields(plan)
  return `with ${inputOf(fields)},
    held as (${upsertHeld(plan, `select ${inputs(plan.keys)}, $${fields.length + 1}::int4, ${versionInputs}, ${tagInputs} from input`)})
    select (select count(*) from held where fresh)::int4 as held`
}

/** Fields of {@link patchRows}: keys, changed columns, version. */
export const patchFields = (plan: TablePlan, columns: ReadonlyArray<PlanColumn>): ReadonlyArray<Field> => [
  ...fieldsOf(plan.keys),
  ...fieldsOf(columns),
  ...versionFields,
]

/**
 * Changes some columns of held rows, and their version for every holder. `guarded`: fails with a division by zero, for the
 * instance as the last parameter, unless it holds every row; only meant where a failed statement is made again with questions.
 */
export const patchRows = (plan: TablePlan, columns: ReadonlyArray<PlanColumn>, guarded = false): string =>
  once(plan, `patch ${guarded} ${columnsName(columns)}`, () => buildPatch(plan, columns, guarded))

const buildPatch = (plan: TablePlan, columns: ReadonlyArray<PlanColumn>, guarded: boolean): string => {
  const fields = patchFields(plan, columns)
  const input = inputOf(fields)
  const revised = `revised as (${setVersion(plan)} returning p.${plan.own.instance} as holder)`
  const guard = guarded
    ? `, 1 / (case when (select count(*) from revised where holder = $${fields.length + 1}::int4) = (select count(*) from input)
        then 1 else 0 end) as guard`
    : ""
  if (columns.length === 0) return `with ${input}, ${revised} select 0 as updated${guard}`
  const pairs = new Map(columns.map((column) => [column.quoted, column.input]))
  const changed = differs(
    columns.map(({ quoted }) => quoted),
    (column) => `t.${column}`,
    (column) => `input.${pairs.get(column) ?? ""}`,
  )
  return `with ${input}, ${revised},
    app as (update ${plan.app} as t set ${columns.map(({ quoted, input: from }) => `${quoted} = input.${from}`).join(", ")}
      from input where ${keyIsInput(plan, "t")} and ${changed} returning 1)
    select (select count(*) from app)::int4 as updated${guard}`
}

/**
 * The guarded patch of one row, every value a parameter of its own: keys, columns, version, then the instance. A live change is one row as
 * a rule, and arrays cost more than such a row.
 */
export const patchRow = (plan: TablePlan, columns: ReadonlyArray<PlanColumn>): string =>
  once(plan, `patch row ${columnsName(columns)}`, () => {
    const { own } = plan
    const fields = patchFields(plan, columns)
    const parameter = (index: number): string => `$${index + 1}::${fields[index]?.type ?? "text"}`
    const isRow = (alias: string): string =>
      plan.keys.map(({ quoted }, index) => `${alias}.${quoted} = ${parameter(index)}`).join(" and ")
    const values = columns.map((_, index) => parameter(plan.keys.length + index))
    const versionAt = plan.keys.length + columns.length
    const version = [own.lsn, own.op, own.txid, own.snapshot, own.writer]
      .map((column, index) => `${column} = ${parameter(versionAt + index)}`)
      .join(", ")
    const pairs = new Map(columns.map(({ quoted }, index) => [quoted, values[index] ?? ""]))
    const changed = differs(
      [...pairs.keys()],
      (column) => `t.${column}`,
      (column) => pairs.get(column) ?? "",
    )
    return `with revised as (update ${plan.held} as p set ${version} where ${isRow("p")} returning p.${own.instance} as holder),
      app as (update ${plan.app} as t set ${[...pairs].map(([column, value]) => `${column} = ${value}`).join(", ")}
        where ${isRow("t")} and ${changed} returning 1)
      select (select count(*) from app)::int4 as updated,
        1 / (case when exists (select 1 from revised where holder = $${fields.length + 1}::int4) then 1 else 0 end) as guard`
  })

const setVersion = (plan: TablePlan): string => {
  const { own } = plan
  return `update ${plan.held} as p set ${own.lsn} = v_lsn, ${own.op} = v_op, ${own.txid} = v_txid,
    ${own.snapshot} = v_snapshot, ${own.writer} = v_writer from input where ${keyIsInput(plan, "p")}`
}

/** Fields of {@link reviseRows}. */
export const reviseFields = (plan: TablePlan): ReadonlyArray<Field> => [
  ...fieldsOf(plan.keys),
  ...versionFields,
]

/** Tells every holder of the rows which version their value now is. Takes no instance. */
export const reviseRows = (plan: TablePlan): string =>
  `with ${inputOf(reviseFields(plan))}, revised as (${setVersion(plan)} returning 1) select 0 as updated`

/** Whether the row `p` of provenance or stage, found by its key, is the instance's. */
const isOf = (plan: TablePlan, table: string, instance: string): string =>
  table === plan.held ? isEntryOf(plan, "p", instance) : `p.${plan.own.instance} = ${instance}`

/** Fields of {@link retagRows} and of its twin for the stage. */
export const retagFields = (plan: TablePlan): ReadonlyArray<Field> => [...fieldsOf(plan.keys), ...tagFields]

/** Replaces the tags of rows the instance holds (`table` is provenance or stage). */
export const retagRows = (plan: TablePlan, table: string): string => {
  const fields = retagFields(plan)
  return `with ${inputOf(fields)} update ${table} as p set ${plan.own.tags} = v_tags, ${plan.own.active} = v_active
    from input where ${keyIsInput(plan, "p")} and ${isOf(plan, table, `$${fields.length + 1}::int4`)}`
}

/** The instance lets go of rows; those that nobody else holds are deleted. An instance alone in its table asks nobody. */
export const dropRows = (
  plan: TablePlan,
  state: { readonly pending: number | null; readonly shared: boolean },
): string => once(plan, `drop ${state.pending === null} ${state.shared}`, () => buildDrop(plan, state))

const buildDrop = (
  plan: TablePlan,
  { pending, shared }: { readonly pending: number | null; readonly shared: boolean },
): string => {
  const instance = `$${plan.keys.length + 1}::int4`
  const waiting =
    pending === null && !shared
      ? ""
      : `waiting as (delete from ${plan.stage} s using input where ${keyIsInput(plan, "s")} and s.${plan.own.instance} = ${instance}),`
  const dead = shared
    ? deleteOrphans(plan, `o.${plan.own.instance} <> ${instance}`)
    : `dead as (delete from ${plan.app} t using gone g where ${sameKey(plan, "t", "g")} returning 1)`
  return `with ${inputOf(fieldsOf(plan.keys))}, ${waiting}
    gone as (delete from ${plan.held} p using input where ${keyIsInput(plan, "p")} and ${isEntryOf(plan, "p", instance)}
      returning ${plan.keys.map(({ quoted }) => `p.${quoted}`).join(", ")}),
    ${dead}
    select (select count(*) from dead)::int4 as deleted, (select count(*) from gone)::int4 as held`
}

/** Collects whole instances: `$1` is the array of their ids. */
export const collectRows = (plan: TablePlan): string =>
  `with waiting as (delete from ${plan.stage} where ${plan.own.instance} = any($1::int4[])),
    gone as (delete from ${plan.held} p where p.${plan.own.instance} = any($1::int4[])
      returning ${plan.keys.map(({ quoted }) => `p.${quoted}`).join(", ")}),
    ${deleteOrphans(plan, `o.${plan.own.instance} <> all($1::int4[])`)}
    select (select count(*) from dead)::int4 as deleted`

/** Deletes local rows named in `gone` that no instance among `others` holds. */
export const deleteOrphans = (plan: TablePlan, others: string): string =>
  `dead as (delete from ${plan.app} t using (select distinct ${names(plan.keys)} from gone) g
      where ${sameKey(plan, "t", "g")}
        and not exists (select 1 from ${plan.held} o where ${sameKey(plan, "o", "g")} and ${others}) returning 1)`

/** Which of the keys the instance does not hold (`table` is provenance or stage): rows of `ord`. */
export const missingRows = (plan: TablePlan, table: string): string =>
  once(
    plan,
    `missing ${table}`,
    () => `with ${inputOf(fieldsOf(plan.keys))} select input.ord::int4 as ord from input where not exists
    (select 1 from ${table} p where ${keyIsInput(plan, "p")} and ${isOf(plan, table, `$${plan.keys.length + 1}::int4`)})`,
  )

/** Version columns of a provenance or stage row `alias`, as text, with what its snapshot saw. */
export const versionColumns = (plan: TablePlan, alias: string, withWriter: boolean): string => {
  const { own } = plan
  return `${alias}.${own.lsn}::text as lsn, ${alias}.${own.op}::text as op, ${alias}.${own.txid}::text as txid,
    ${alias}.${own.snapshot} as snapshot, ${withWriter ? `${alias}.${own.writer} as writer, ` : ""}
    x.state, x.seen_xmin as xmin, x.seen_xmax as xmax, x.seen_xip as xip_list`
}

/** Rows among the keys that another instance wrote or holds: `ord`, `holder` and the version of their value. */
export const cellsOf = (plan: TablePlan): string => once(plan, "cells", () => buildCells(plan))

const buildCells = (plan: TablePlan): string => {
  const instance = `$${plan.keys.length + 1}::int4`
  return `with ${inputOf(fieldsOf(plan.keys))}
    select input.ord::int4 as ord, p.${plan.own.instance} as holder, ${versionColumns(plan, "p", true)}
    from input join ${plan.held} p on ${keyIsInput(plan, "p")}
    left join espalier.snapshots x on x.id = p.${plan.own.snapshot}
    where p.${plan.own.instance} <> ${instance} or p.${plan.own.writer} <> ${instance}`
}

/**
 * Puts aside the values of instances whose snapshot is still open, before others overwrite them: their `snapshot-end` may rank
 * them higher. Only a writer that still holds the row gets its value back. Takes no instance.
 */
export const keepAside = (plan: TablePlan): string => {
  const { own } = plan
  const columns = names(plan.columns)
  return `with ${inputOf(fieldsOf(plan.keys))}
    insert into ${plan.stage} as s (${columns}, ${own.instance})
    select ${plan.columns.map(({ quoted }) => `t.${quoted}`).join(", ")}, p.${own.writer}
    from input join ${plan.app} t on ${keyIsInput(plan, "t")}
    join ${plan.held} p on ${sameKey(plan, "p", "t")} and p.${own.instance} = p.${own.writer}
    on conflict (${names(plan.keys)}, ${own.instance}) do update set
      ${plan.columns.map(({ quoted }) => `${quoted} = excluded.${quoted}`).join(", ")}`
}

/** Held rows of an instance whose tags match a pattern: `$1` positions from 1, `$2` values, `$3` the instance. */
export const matchingTags = (plan: TablePlan, table: string): string => {
  const { own } = plan
  return `select ${plan.keys.map((key, index) => `p.${key.quoted}::text as k${index}`).join(", ")},
      p.${own.tags} as tags, p.${own.active} as active
    from ${table} p where p.${own.instance} = $3::int4 and exists (
      select 1 from unnest(p.${own.tags}) as tag(slots)
      join unnest($1::int4[], $2::text[]) as pattern(pos, value) on split_part(tag.slots, '/', pattern.pos) = pattern.value)`
}

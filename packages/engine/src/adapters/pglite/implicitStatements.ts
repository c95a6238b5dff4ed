/**
 * The statements on rows that need no provenance entry, because their own columns say whose they are (docs/decisions/005). A guard
 * makes a statement fail with a division by zero where that is not so; the share is then applied again with questions. Pure
 * text, in the manner of `statements.ts`: arrays first, then the slice's constants. Called by `implicitShare.ts` and its neighbours.
 */
import type { Slice } from "../store/slice.ts"
import {
  columnsName,
  differs,
  fieldsOf,
  inputOf,
  keyIsInput,
  once,
  type PlanColumn,
  sameKey,
  type TablePlan,
} from "./sql.ts"
import { upsertApp } from "./statements.ts"

const sliceName = (slice: Slice): string => Object.keys(slice).join(" ")

/** Whether a row is the slice's, its constants being the parameters from `first` on. */
export const inSlice = (plan: TablePlan, slice: Slice, alias: string, first: number): string => {
  const terms = Object.keys(slice).map((name, index) => {
    const column = plan.columns.find((candidate) => candidate.name === name)
    return `${alias}.${column?.quoted ?? ""} = $${first + index}::${column?.type ?? "text"}`
  })
  return terms.length === 0 ? "true" : terms.join(" and ")
}

/** Whether `alias` is the row whose key values are the first parameters. */
export const isRowOf = (plan: TablePlan, alias: string): string =>
  plan.keys.map(({ quoted, type }, index) => `${alias}.${quoted} = $${index + 1}::${type}`).join(" and ")

const insist = (condition: string): string => `1 / (case when ${condition} then 1 else 0 end) = 1`
const names = (columns: ReadonlyArray<PlanColumn>): string => columns.map(({ quoted }) => quoted).join(", ")
const inputs = (columns: ReadonlyArray<PlanColumn>): string => columns.map(({ input }) => input).join(", ")

/** No entry overrides what the row says. */
export const noEntry = (plan: TablePlan, alias: string): string =>
  `not exists (select 1 from ${plan.held} e where ${sameKey(plan, "e", alias)})`

/** Writes rows of the slice. Fails on a row that is there and not of the slice. */
export const putOwn = (plan: TablePlan, columns: ReadonlyArray<PlanColumn>, slice: Slice): string =>
  once(plan, `own put ${columnsName(columns)} / ${sliceName(slice)}`, () => {
    const fields = fieldsOf(columns)
    const mine = insist(inSlice(plan, slice, "t", fields.length + 1))
    return `with ${inputOf(fields)},
      app as (${upsertApp(plan, columns, `select ${inputs(columns)} from input`, mine)})
      select (select count(*) from app where fresh)::int4 as inserted, (select count(*) from app where not fresh)::int4 as updated,
        (select count(*) from app where fresh)::int4 as held`
  })

/** Changes some columns of rows of the slice. Fails unless every row is there. */
export const patchOwn = (plan: TablePlan, columns: ReadonlyArray<PlanColumn>, slice: Slice): string =>
  once(plan, `own patch ${columnsName(columns)} / ${sliceName(slice)}`, () => {
    const input = inputOf([...fieldsOf(plan.keys), ...fieldsOf(columns)])
    const mine = `${keyIsInput(plan, "t")} and ${inSlice(plan, slice, "t", plan.keys.length + columns.length + 1)}`
    const all = `(select count(*) from input)`
    const found = `(select count(*) from input join ${plan.app} t on ${mine}) = ${all}`
    if (columns.length === 0) return `with ${input} select 0 as updated, ${insist(found)} as guard`
    const pairs = new Map(columns.map((column) => [column.quoted, `input.${column.input}`]))
    return `with ${input}, app as (update ${plan.app} as t set ${assignments(pairs)} from input where ${mine} and ${changes(pairs)} returning 1)
      select (select count(*) from app)::int4 as updated,
        1 / (case when (select count(*) from app) = ${all} then 1 when ${found} then 1 else 0 end) as guard`
  })

/** The same for one row, every value a parameter of its own. */
export const patchOwnRow = (plan: TablePlan, columns: ReadonlyArray<PlanColumn>, slice: Slice): string =>
  once(plan, `own patch row ${columnsName(columns)} / ${sliceName(slice)}`, () => {
    const width = plan.keys.length + columns.length
    const mine = `${isRowOf(plan, "t")} and ${inSlice(plan, slice, "t", width + 1)}`
    const pairs = new Map(
      columns.map(({ quoted, type }, index) => [quoted, `$${plan.keys.length + index + 1}::${type}`]),
    )
    return `with app as (update ${plan.app} as t set ${assignments(pairs)} where ${mine} and ${changes(pairs)} returning 1)
      select (select count(*) from app)::int4 as updated, 1 / (case when exists (select 1 from app) then 1
        when exists (select 1 from ${plan.app} t where ${mine}) then 1 else 0 end) as guard`
  })

const assignments = (pairs: ReadonlyMap<string, string>): string =>
  [...pairs].map(([column, value]) => `${column} = ${value}`).join(", ")

const changes = (pairs: ReadonlyMap<string, string>): string =>
  differs(
    [...pairs.keys()],
    (column) => `t.${column}`,
    (column) => pairs.get(column) ?? "",
  )

/** Deletes rows of the slice by key. A row that became another's meanwhile stays. */
export const dropOwn = (plan: TablePlan, slice: Slice): string =>
  once(
    plan,
    `own drop ${sliceName(slice)}`,
    () => `with ${inputOf(fieldsOf(plan.keys))},
      dead as (delete from ${plan.app} t using input where ${keyIsInput(plan, "t")} and ${inSlice(plan, slice, "t", plan.keys.length + 1)} returning 1)
      select (select count(*) from dead)::int4 as deleted, (select count(*) from dead)::int4 as held`,
  )

/** Of the keys: which have entries, and which name no row of the slice. Rows of `ord`, `entry`, `present`. */
export const classifyRows = (plan: TablePlan, slice: Slice): string =>
  once(
    plan,
    `classify ${sliceName(slice)}`,
    () => `with ${inputOf(fieldsOf(plan.keys))}
      select ord::int4 as ord, entry, present from (
        select input.ord, exists (select 1 from ${plan.held} p where ${keyIsInput(plan, "p")}) as entry,
          t.${plan.keys[0]?.quoted ?? ""} is not null as present,
          t.${plan.keys[0]?.quoted ?? ""} is not null and ${inSlice(plan, slice, "t", plan.keys.length + 1)} as mine
        from input left join ${plan.app} t on ${keyIsInput(plan, "t")}) found
      where entry or mine is not true`,
  )

/** Local rows among the keys that have no entry: `ord` and the named columns as `values`. */
export const unentered = (plan: TablePlan, columns: ReadonlyArray<PlanColumn>): string =>
  `with ${inputOf(fieldsOf(plan.keys))}
    select input.ord::int4 as ord, array[${columns.map(({ quoted }) => `t.${quoted}::text`).join(", ")}]::text[] as values
    from input join ${plan.app} t on ${keyIsInput(plan, "t")} where ${noEntry(plan, "t")}`

/** Entries of the keys, or of all when `whole`, with the named columns of their rows. */
export const entriesOf = (plan: TablePlan, columns: ReadonlyArray<PlanColumn>, whole: boolean): string => {
  const keys = plan.keys.map((key, index) => `p.${key.quoted}::text as k${index}`).join(", ")
  const chosen = whole ? plan.held : `input join ${plan.held}`
  return `${whole ? "" : `with ${inputOf(fieldsOf(plan.keys))}`}
    select ${keys}, p.${plan.own.instance} as holder, p.${plan.own.writer} as writer,
      array[${columns.map(({ quoted }) => `t.${quoted}::text`).join(", ")}]::text[] as values
    from ${chosen} p ${whole ? "" : `on ${keyIsInput(plan, "p")}`} join ${plan.app} t on ${sameKey(plan, "t", "p")}`
}

/** Removes the entries of the keys: their rows speak for themselves again. */
export const removeEntries = (plan: TablePlan): string =>
  `with ${inputOf(fieldsOf(plan.keys))} delete from ${plan.held} p using input where ${keyIsInput(plan, "p")}`

/** Writes the entries of the instance `$1` for rows of its slice that have none, as new as the instance is. */
export const backfillRows = (plan: TablePlan, slice: Slice): string => {
  const { own } = plan
  return `insert into ${plan.held} (${names(plan.keys)}, ${own.instance}, ${own.lsn}, ${own.op}, ${own.txid}, ${own.snapshot}, ${own.writer})
    select ${plan.keys.map(({ quoted }) => `t.${quoted}`).join(", ")}, i.id, i.pos_lsn, i.pos_op, i.pos_txid,
      case when i.pos_lsn is null then i.snapshot end, i.id
    from ${plan.app} t, espalier.instances i where i.id = $1::int4 and ${inSlice(plan, slice, "t", 2)} and ${noEntry(plan, "t")}`
}

/** Deletes all rows of a slice that have no entry. */
export const deleteSlice = (plan: TablePlan, slice: Slice): string =>
  `with dead as (delete from ${plan.app} t where ${inSlice(plan, slice, "t", 1)} and ${noEntry(plan, "t")} returning 1)
    select (select count(*) from dead)::int4 as deleted`

/** Staged rows of the instance `$1` whose readable row is another's, or that are not of the slice themselves. */
export const disputedStage = (plan: TablePlan, slice: Slice): string =>
  `select ${plan.keys.map((key, index) => `s.${key.quoted}::text as k${index}`).join(", ")}
    from ${plan.stage} s left join ${plan.app} t on ${sameKey(plan, "t", "s")}
    where s.${plan.own.instance} = $1::int4 and ${noEntry(plan, "s")} and (
      (${inSlice(plan, slice, "s", 2)}) is not true
      or (t.${plan.keys[0]?.quoted ?? ""} is not null and (${inSlice(plan, slice, "t", 2)}) is not true))`

/** Deletes rows of the slice that the instance `$1` has not staged. */
export const dropUnstagedOwn = (plan: TablePlan, slice: Slice): string =>
  `with dead as (delete from ${plan.app} t where ${inSlice(plan, slice, "t", 2)} and ${noEntry(plan, "t")}
      and not exists (select 1 from ${plan.stage} s where s.${plan.own.instance} = $1::int4 and ${sameKey(plan, "s", "t")}) returning 1)
    select (select count(*) from dead)::int4 as deleted`

/** Makes the staged rows of the instance `$1` that have no entry readable, and takes them off the stage. */
export const swapOwn = (plan: TablePlan, slice: Slice): string => {
  const staged = `select ${plan.columns.map(({ quoted }) => `s.${quoted}`).join(", ")} from ${plan.stage} s
    where s.${plan.own.instance} = $1::int4 and ${noEntry(plan, "s")} and ${insist(inSlice(plan, slice, "s", 2))}`
  return `with app as (${upsertApp(plan, plan.columns, staged, insist(inSlice(plan, slice, "t", 2)))}),
    done as (delete from ${plan.stage} s where s.${plan.own.instance} = $1::int4 and ${noEntry(plan, "s")} returning 1)
    select (select count(*) from app where fresh)::int4 as inserted, (select count(*) from app where not fresh)::int4 as updated,
      (select count(*) from done)::int4 as held`
}

/** The newest log entry among the staged rows of the instance `$1`, and the snapshot of the others. */
export const stagedPosition = (plan: TablePlan): string => {
  const { own } = plan
  const mine = `from ${plan.stage} where ${own.instance} = $1::int4`
  return `select newest.lsn, newest.op, newest.txid, (select max(${own.snapshot}) ${mine}) as snapshot
    from (select 1) as one left join lateral (select ${own.lsn}::text as lsn, ${own.op}::text as op, ${own.txid}::text as txid
      ${mine} and ${own.lsn} is not null order by ${plan.stage}.${own.lsn} desc, ${plan.stage}.${own.op} desc limit 1) as newest on true`
}

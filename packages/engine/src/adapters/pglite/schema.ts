/**
 * Brings a database to the graph's schema when the store opens: our schema `espalier`, the local tables, and nothing left of a
 * table that changed or went away. A changed table is dropped with its instances, which then refetch; that is never an error.
 * Called once by `PgliteLocalStore.ts`, inside one transaction.
 */
import type { GraphData } from "../../graph/Graph.ts"
import { StoreError } from "../../ports/LocalStore.ts"
import { localTableDdl, tableVersion } from "../../protocol/compile.ts"
import { hashOf } from "../../protocol/hash.ts"
import { type Plans, select, type Tx } from "./session.ts"
import { baseDdl, planOf, sideDdl, type TablePlan } from "./sql.ts"

/** Changes whenever the layout of our own tables does; part of every table's version. */
const layoutVersion = 2

/** Unreferenced snapshots are swept on open beyond this number. */
const snapshotsKept = 1_000

/** Plans of the graph's tables. */
export const plansOf = (graph: GraphData): Plans =>
  new Map(Object.entries(graph.tables).map(([name, def]) => [name, planOf(def)]))

/** Creates or changes what the graph needs, and forgets what no restart may use. */
export const openSchema = async (tx: Tx, graph: GraphData, plans: Plans): Promise<void> => {
  for (const statement of baseDdl) await tx.exec(statement)
  const stored = await select<{ readonly name: string; readonly version: string }>(
    tx,
    "select name, version from espalier.tables",
  )
  const known = new Map(stored.map(({ name, version }) => [name, version]))
  for (const { name, version } of stored) {
    const plan = plans.get(name)
    if (plan === undefined) await dropTable(tx, planOf(emptyTable(name)))
    else if (version !== versionOf(graph, name)) await dropTable(tx, plan)
    // Somebody dropped or changed it behind our back: its rows are fetched anew, or they would be missing in silence.
    else if (!(await isWhole(tx, plan))) await dropTable(tx, plan)
  }
  for (const [name, plan] of plans) await createTable(tx, graph, plan, known.has(name))
  await forgetUnfinished(tx, plans)
}

/** The table and those beside it are there, with every declared column in its declared type. More columns are the app's own. */
const isWhole = async (tx: Tx, { app, columns, held, stage }: TablePlan): Promise<boolean> => {
  const [found] = await select<{ readonly whole: boolean }>(
    tx,
    `select to_regclass($2) is not null and to_regclass($3) is not null
       and count(*) filter (where wanted.type::regtype = a.atttypid) = count(*) as whole
     from unnest($4::text[], $5::text[]) as wanted(name, type)
     left join pg_attribute a on a.attrelid = to_regclass($1) and a.attname = wanted.name and not a.attisdropped`,
    [app, held, stage, columns.map(({ name }) => name), columns.map(({ type }) => type)],
  )
  return found?.whole === true
}

const versionOf = (graph: GraphData, table: string): string =>
  hashOf([layoutVersion, tableVersion(graph, table)])

/** Enough of a table to name it: its declaration is gone from the graph. */
const emptyTable = (name: string) => ({ name, from: name, columns: {}, primaryKey: [], indexes: [] })

const dropTable = async (tx: Tx, plan: TablePlan): Promise<void> => {
  await tx.exec(`drop table if exists ${plan.app}, ${plan.held}, ${plan.stage} cascade`)
  await tx.query("delete from espalier.instances where table_name = $1", [plan.def.name])
  await tx.query("delete from espalier.tables where name = $1", [plan.def.name])
}

const createTable = async (tx: Tx, graph: GraphData, plan: TablePlan, known: boolean): Promise<void> => {
  if (!known) await refuseForeign(tx, plan)
  for (const statement of [...localTableDdl(graph, plan.def.name), ...sideDdl(plan)]) await tx.exec(statement)
  await tx.query(
    "insert into espalier.tables (name, version) values ($1, $2) on conflict (name) do update set version = excluded.version",
    [plan.def.name, versionOf(graph, plan.def.name)],
  )
}

/** A table that the app made under the same name is not ours to fill, unless it is empty of rows and has our columns. */
const refuseForeign = async (tx: Tx, plan: TablePlan): Promise<void> => {
  const columns = await select<{ readonly name: string }>(
    tx,
    `select attname as name from pg_attribute where attrelid = to_regclass($1) and attnum > 0 and not attisdropped`,
    [plan.app],
  )
  if (columns.length === 0) return
  const found = new Set(columns.map(({ name }) => name))
  const missing = plan.columns.filter(({ name }) => !found.has(name)).map(({ name }) => name)
  if (missing.length === 0) return
  throw new StoreError({
    operation: "open",
    kind: "schema",
    cause: new Error(
      `the database already has a table ${plan.app} without column ${missing.join(", ")}; rename the local table or drop that one`,
    ),
  })
}

/** A staged refetch starts over, doubtful tags are no starting point, and old snapshots that no row names are swept. */
const forgetUnfinished = async (tx: Tx, plans: Plans): Promise<void> => {
  const staging = await select<{ readonly id: number; readonly table: string }>(
    tx,
    `select id, table_name as "table" from espalier.instances where staging`,
  )
  for (const { id, table } of staging) {
    const plan = plans.get(table)
    if (plan !== undefined) await tx.query(`delete from ${plan.stage} where ${plan.own.instance} = $1`, [id])
  }
  await tx.exec(
    `update espalier.instances set staging = false, stage_handle = null, pending_snapshot = null where staging;
     update espalier.instances set handle = null, log_offset = null where tags_doubtful`,
  )
  const [snapshots] = await select<{ readonly count: number }>(
    tx,
    "select count(*)::int4 as count from espalier.snapshots",
  )
  if ((snapshots?.count ?? 0) > snapshotsKept) await sweepSnapshots(tx, plans)
}

const sweepSnapshots = async (tx: Tx, plans: Plans): Promise<void> => {
  const named = [...plans.values()].flatMap(({ held, own, stage }) => [
    `select ${own.snapshot} from ${held}`,
    `select ${own.snapshot} from ${stage}`,
  ])
  await tx.exec(
    `delete from espalier.snapshots where id not in (select named.id from
       (${["select pending_snapshot from espalier.instances", "select snapshot from espalier.instances", ...named].join(" union ")}) as named(id) where named.id is not null)`,
  )
}

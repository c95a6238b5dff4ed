/**
 * The questions the store answers from provenance: what an owner's rows bind, who holds a row, which rows an instance holds.
 * Every value is Postgres text, sorted alike in every store. Called by `PgliteLocalStore.ts`.
 */
import type { OwnerRow, OwnerRows } from "../../ports/LocalStore.ts"
import type { InstanceKey } from "../../protocol/Shape.ts"
import { compareTexts } from "../store/rowKey.ts"
import { sqlState } from "./errors.ts"
import { type Plans, select, type Tx } from "./session.ts"
import {
  canonicalText,
  fieldsOf,
  inputOf,
  keyIsInput,
  type PlanColumn,
  sameKey,
  type TablePlan,
} from "./sql.ts"

interface Named {
  readonly id: number
  readonly key: string
  readonly table: string
}

const instancesOf = (tx: Tx, keys: ReadonlyArray<InstanceKey>): Promise<ReadonlyArray<Named>> =>
  select<Named>(
    tx,
    `select id, key, table_name as "table" from espalier.instances where key = any($1::text[])`,
    [keys],
  )

/** The asked columns as the plan knows them; null when the table lacks one. */
const askedOf = (plan: TablePlan, columns: ReadonlyArray<string>): ReadonlyArray<PlanColumn> | null => {
  const asked = columns.flatMap((name) => plan.columns.find((column) => column.name === name) ?? [])
  return asked.length === columns.length ? asked : null
}

const textArray = (asked: ReadonlyArray<PlanColumn>): string =>
  `array[${asked.map(({ quoted }) => `t.${quoted}::text`).join(", ")}]::text[]`

/** The rows of each owner whose asked columns are all non-NULL. */
export const ownerRows = async (
  tx: Tx,
  plans: Plans,
  owners: ReadonlyArray<InstanceKey>,
  columns: ReadonlyArray<string>,
): Promise<ReadonlyArray<OwnerRows>> => {
  const found = new Map<InstanceKey, Array<FoundRow>>()
  const known = await instancesOf(tx, owners)
  for (const [table, instances] of Map.groupBy(known, (instance) => instance.table)) {
    const plan = plans.get(table)
    const asked = plan === undefined ? null : askedOf(plan, columns)
    if (plan === undefined || asked === null) continue
    const keyById = new Map(instances.map(({ id, key }) => [id, key]))
    const keys = plan.keys.map(({ quoted, type }) => canonicalText(type, `p.${quoted}`))
    const rows = await select<FoundRow & { readonly owner: number }>(
      tx,
      `select p.${plan.own.instance} as owner, array[${keys.join(", ")}] as key, ${textArray(asked)} as values
         from ${plan.held} p join ${plan.app} t on ${sameKey(plan, "t", "p")}
         where p.${plan.own.instance} = any($1::int4[]) ${asked.map(({ quoted }) => `and t.${quoted} is not null`).join(" ")}`,
      [[...keyById.keys()]],
    )
    for (const { key, owner, values } of rows) {
      const name = keyById.get(owner)
      if (name === undefined) continue
      const list = found.get(name)
      if (list === undefined) found.set(name, [{ key, values }])
      else list.push({ key, values })
    }
  }
  return owners.map((owner) => ({ owner, rows: (found.get(owner) ?? []).sort(byValues) }))
}

interface FoundRow {
  readonly key: ReadonlyArray<string>
  readonly values: ReadonlyArray<string>
}

const byValues = (left: FoundRow, right: FoundRow): number =>
  compareTexts(left.values, right.values) || compareTexts(left.key, right.key)

/** The asked rows of one owner, one answer each. */
export const ownerRowsAt = async (
  tx: Tx,
  plans: Plans,
  owner: InstanceKey,
  columns: ReadonlyArray<string>,
  primaryKeys: ReadonlyArray<ReadonlyArray<string>>,
): Promise<ReadonlyArray<OwnerRow>> => {
  const [instance] = await instancesOf(tx, [owner])
  const plan = instance === undefined ? undefined : plans.get(instance.table)
  const asked = plan === undefined ? null : askedOf(plan, columns)
  if (instance === undefined || plan === undefined || asked === null)
    return primaryKeys.map((key) => ({ key, values: null }))
  const keys = plan.keys.map(({ input, type }) => canonicalText(type, `input.${input}`))
  const held = [`p.${plan.own.instance} is not null`, ...asked.map(({ quoted }) => `t.${quoted} is not null`)]
  const rows = await select<OwnerRow>(
    tx,
    `with ${inputOf(fieldsOf(plan.keys), 2)}
       select array[${keys.join(", ")}] as key, case when ${held.join(" and ")} then ${textArray(asked)} end as values
       from input left join ${plan.held} p on p.${plan.own.instance} = $1::int4 and ${keyIsInput(plan, "p")}
         left join ${plan.app} t on ${sameKey(plan, "t", "p")}
       order by input.ord`,
    [instance.id, ...plan.keys.map((_, column) => primaryKeys.map((key) => key[column] ?? null))],
  )
  return rows.map(({ key, values }) => ({ key, values }))
}

/** Which instances hold a row. A text that is no value of the key's type names no row. */
export const holders = async (
  tx: Tx,
  plans: Plans,
  table: string,
  primaryKey: ReadonlyArray<string>,
): Promise<ReadonlyArray<InstanceKey>> => {
  const plan = plans.get(table)
  if (plan === undefined || primaryKey.length !== plan.keys.length) return []
  const matches = plan.keys.map(({ quoted, type }, index) => `p.${quoted} = $${index + 1}::text::${type}`)
  await tx.exec("savepoint lookup")
  try {
    const rows = await select<{ readonly key: string }>(
      tx,
      `select i.key from ${plan.held} p join espalier.instances i on i.id = p.${plan.own.instance} where ${matches.join(" and ")}`,
      primaryKey,
    )
    return rows.map(({ key }) => key).sort()
  } catch (error) {
    if (!sqlState(error).startsWith("22")) throw error
    await tx.exec("rollback to savepoint lookup")
    return []
  }
}

/** Primary keys of the rows an instance holds. */
export const heldKeys = async (
  tx: Tx,
  plans: Plans,
  key: InstanceKey,
): Promise<ReadonlyArray<ReadonlyArray<string>>> => {
  const [instance] = await instancesOf(tx, [key])
  const plan = instance === undefined ? undefined : plans.get(instance.table)
  if (instance === undefined || plan === undefined) return []
  const rows = await select<{ readonly texts: ReadonlyArray<string> }>(
    tx,
    `select array[${plan.keys.map(({ quoted }) => `p.${quoted}::text`).join(", ")}] as texts
       from ${plan.held} p where p.${plan.own.instance} = $1::int4`,
    [instance.id],
  )
  return rows.map(({ texts }) => texts).sort(compareTexts)
}

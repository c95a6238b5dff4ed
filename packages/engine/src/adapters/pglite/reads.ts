/**
 * The questions the store answers from provenance: what an owner's rows bind, who holds a row, which rows an instance holds.
 * Every value is Postgres text, sorted alike in every store. Called by `PgliteLocalStore.ts`.
 */
import type { OwnerValues } from "../../ports/LocalStore.ts"
import type { InstanceKey } from "../../protocol/Shape.ts"
import { compareTexts } from "../store/rowKey.ts"
import { sqlState } from "./errors.ts"
import { type Plans, select, type Tx } from "./session.ts"
import { sameKey } from "./sql.ts"

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

/** Distinct, non-NULL tuples of `columns` in the rows of each owner. */
export const ownerValues = async (
  tx: Tx,
  plans: Plans,
  owners: ReadonlyArray<InstanceKey>,
  columns: ReadonlyArray<string>,
): Promise<ReadonlyArray<OwnerValues>> => {
  const found = new Map<InstanceKey, Array<ReadonlyArray<string>>>()
  const known = await instancesOf(tx, owners)
  for (const [table, instances] of Map.groupBy(known, (instance) => instance.table)) {
    const plan = plans.get(table)
    const asked = columns.flatMap((name) => plan?.columns.find((column) => column.name === name) ?? [])
    if (plan === undefined || asked.length !== columns.length) continue
    const keyById = new Map(instances.map(({ id, key }) => [id, key]))
    const rows = await select<{ readonly owner: number; readonly texts: ReadonlyArray<string> }>(
      tx,
      `select distinct p.${plan.own.instance} as owner, array[${asked.map(({ quoted }) => `t.${quoted}::text`).join(", ")}] as texts
         from ${plan.held} p join ${plan.app} t on ${sameKey(plan, "t", "p")}
         where p.${plan.own.instance} = any($1::int4[]) ${asked.map(({ quoted }) => `and t.${quoted} is not null`).join(" ")}`,
      [[...keyById.keys()]],
    )
    for (const { owner, texts } of rows) {
      const key = keyById.get(owner)
      if (key !== undefined) found.set(key, [...(found.get(key) ?? []), texts])
    }
  }
  return owners.map((owner) => ({ owner, values: (found.get(owner) ?? []).sort(compareTexts) }))
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

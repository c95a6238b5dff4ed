/**
 * The questions the store answers from provenance: what an owner's rows bind, who holds a row, which rows an instance holds.
 * Every value is Postgres text, sorted alike in every store. Called by `PgliteLocalStore.ts`.
 */
import type { OwnerValues } from "../../ports/LocalStore.ts"
import type { InstanceKey } from "../../protocol/Shape.ts"
import { compareTexts } from "../store/rowKey.ts"
import { sqlState } from "./errors.ts"
import { inSlice, noEntry } from "./implicitStatements.ts"
import { type Plans, select, type Tx } from "./session.ts"
import { ownerOf, tellingColumns } from "./spill.ts"
import { sameKey } from "./sql.ts"
import { tableState } from "./tableStates.ts"

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
  const found = new Map<number, Map<string, ReadonlyArray<string>>>()
  const known = await instancesOf(tx, owners)
  const add = (owner: number, texts: ReadonlyArray<string>): void => {
    found.set(
      owner,
      (found.get(owner) ?? new Map<string, ReadonlyArray<string>>()).set(JSON.stringify(texts), texts),
    )
  }
  for (const [table, instances] of Map.groupBy(known, (instance) => instance.table)) {
    const plan = plans.get(table)
    const asked = columns.flatMap((name) => plan?.columns.find((column) => column.name === name) ?? [])
    if (plan === undefined || asked.length !== columns.length) continue
    const state = await tableState(tx, plan)
    const texts = `array[${asked.map(({ quoted }) => `t.${quoted}::text`).join(", ")}] as texts`
    const present = asked.map(({ quoted }) => ` and t.${quoted} is not null`).join("")
    if (state.explicit || state.spilled) {
      const rows = await select<{ readonly owner: number; readonly texts: ReadonlyArray<string> }>(
        tx,
        `select distinct p.${plan.own.instance} as owner, ${texts}
           from ${plan.held} p join ${plan.app} t on ${sameKey(plan, "t", "p")}
           where p.${plan.own.instance} = any($1::int4[])${present}`,
        [instances.map(({ id }) => id)],
      )
      for (const row of rows) add(row.owner, row.texts)
    }
    for (const { id } of state.explicit ? [] : instances) {
      const slice = state.slices.get(id) ?? {}
      const rows = await select<{ readonly texts: ReadonlyArray<string> }>(
        tx,
        `select distinct ${texts} from ${plan.app} t
           where ${inSlice(plan, slice, "t", 1)} and ${noEntry(plan, "t")}${present}`,
        Object.values(slice),
      )
      for (const row of rows) add(id, row.texts)
    }
  }
  const ids = new Map(known.map(({ id, key }) => [key, id]))
  return owners.map((owner) => ({
    owner,
    values: [...(found.get(ids.get(owner) ?? -1)?.values() ?? [])].sort(compareTexts),
  }))
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
  const matches = plan.keys
    .map(({ quoted, type }, index) => `p.${quoted} = $${index + 1}::text::${type}`)
    .join(" and ")
  await tx.exec("savepoint lookup")
  try {
    const state = await tableState(tx, plan)
    const entries = await select<{ readonly id: number }>(
      tx,
      `select p.${plan.own.instance} as id from ${plan.held} p where ${matches}`,
      primaryKey,
    )
    const ids = entries.map(({ id }) => id)
    if (ids.length === 0 && !state.explicit) {
      const columns = tellingColumns(plan, state)
      const rows = await select<{ readonly values: ReadonlyArray<string | null> }>(
        tx,
        `select array[${columns.map(({ quoted }) => `p.${quoted}::text`).join(", ")}]::text[] as values from ${plan.app} p where ${matches}`,
        primaryKey,
      )
      for (const { values } of rows) {
        const owner = ownerOf(state, columns, values)
        if (owner !== null) ids.push(owner)
      }
    }
    const named = await select<{ readonly key: string }>(
      tx,
      "select key from espalier.instances where id = any($1::int4[])",
      [ids],
    )
    return named.map(({ key }) => key).sort()
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
  const state = await tableState(tx, plan)
  const keys = (alias: string): string =>
    `array[${plan.keys.map(({ quoted }) => `${alias}.${quoted}::text`).join(", ")}] as texts`
  const rows = [
    ...(await select<{ readonly texts: ReadonlyArray<string> }>(
      tx,
      `select ${keys("p")} from ${plan.held} p where p.${plan.own.instance} = $1::int4`,
      [instance.id],
    )),
  ]
  if (!state.explicit) {
    const slice = state.slices.get(instance.id) ?? {}
    const own = `select ${keys("t")} from ${plan.app} t where ${inSlice(plan, slice, "t", 1)} and ${noEntry(plan, "t")}`
    rows.push(...(await select<{ readonly texts: ReadonlyArray<string> }>(tx, own, Object.values(slice))))
  }
  return rows.map(({ texts }) => texts).sort(compareTexts)
}

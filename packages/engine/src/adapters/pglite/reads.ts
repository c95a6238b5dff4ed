/**
 * The questions the store answers from provenance: what an owner's rows bind, who holds a row, which rows an instance holds.
 * Every value is Postgres text, sorted alike in every store. Called by `PgliteLocalStore.ts`.
 */
import type { OwnerRow, OwnerRows } from "../../ports/LocalStore.ts"
import type { InstanceKey } from "../../protocol/Shape.ts"
import { compareTexts } from "../store/rowKey.ts"
import { sqlState } from "./errors.ts"
import { inSlice, noEntry } from "./implicitStatements.ts"
import { type Plans, select, type Tx } from "./session.ts"
import { ownerOf, tellingColumns } from "./spill.ts"
import {
  canonicalText,
  fieldsOf,
  inputOf,
  isEntryOf,
  keyIsInput,
  type PlanColumn,
  sameKey,
  type TablePlan,
} from "./sql.ts"
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
  const found = new Map<number, Array<FoundRow>>()
  const known = await instancesOf(tx, owners)
  const add = (owner: number, { key, values }: FoundRow): void => {
    const list = found.get(owner)
    if (list === undefined) found.set(owner, [{ key, values }])
    else list.push({ key, values })
  }
  for (const [table, instances] of Map.groupBy(known, (instance) => instance.table)) {
    const plan = plans.get(table)
    const asked = plan === undefined ? null : askedOf(plan, columns)
    if (plan === undefined || asked === null) continue
    const state = await tableState(tx, plan)
    const keys = plan.keys.map(({ quoted, type }) => canonicalText(type, `t.${quoted}`))
    const row = `array[${keys.join(", ")}] as key, ${textArray(asked)} as values`
    const present = asked.map(({ quoted }) => ` and t.${quoted} is not null`).join("")
    if (state.explicit || state.spilled) {
      const rows = await select<FoundRow & { readonly owner: number }>(
        tx,
        `select p.${plan.own.instance} as owner, ${row} from ${plan.held} p join ${plan.app} t on ${sameKey(plan, "t", "p")}
           where p.${plan.own.instance} = any($1::int4[])${present}`,
        [instances.map(({ id }) => id)],
      )
      for (const one of rows) add(one.owner, one)
    }
    for (const { id } of state.explicit ? [] : instances) {
      const slice = state.slices.get(id) ?? {}
      const rows = await select<FoundRow>(
        tx,
        `select ${row} from ${plan.app} t where ${inSlice(plan, slice, "t", 1)} and ${noEntry(plan, "t")}${present}`,
        Object.values(slice),
      )
      for (const one of rows) add(id, one)
    }
  }
  const ids = new Map(known.map(({ id, key }) => [key, id]))
  return owners.map((owner) => ({ owner, rows: (found.get(ids.get(owner) ?? -1) ?? []).sort(byValues) }))
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
  const state = await tableState(tx, plan)
  const slice = state.explicit ? null : (state.slices.get(instance.id) ?? {})
  const keys = plan.keys.map(({ input, type }) => canonicalText(type, `input.${input}`))
  const entry = `p.${plan.own.instance} is not null`
  const holds =
    slice === null
      ? entry
      : `(${entry} or (${inSlice(plan, slice, "t", plan.keys.length + 2)} and ${noEntry(plan, "t")}))`
  const held = [holds, ...asked.map(({ quoted }) => `t.${quoted} is not null`)]
  const rows = await select<OwnerRow>(
    tx,
    `with ${inputOf(fieldsOf(plan.keys), 2)}
       select array[${keys.join(", ")}] as key, case when ${held.join(" and ")} then ${textArray(asked)} end as values
       from input left join ${plan.held} p on ${isEntryOf(plan, "p", "$1::int4")} and ${keyIsInput(plan, "p")}
         left join ${plan.app} t on ${keyIsInput(plan, "t")}
       order by input.ord`,
    [
      instance.id,
      ...plan.keys.map((_, column) => primaryKeys.map((key) => key[column] ?? null)),
      ...Object.values(slice ?? {}),
    ],
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

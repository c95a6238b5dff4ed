/**
 * What stands above an instance: whether an owner is among it, and when it last changed. Looks only upwards, along the rows that
 * demand; exists apart from `World.ts` for its length alone.
 */
import type { InstanceRecord, World } from "./World.ts"

/** Whether rows of `owner` demand the instance, directly or through instances between them. */
export const isBelow = (world: World, record: InstanceRecord, owner: InstanceRecord): boolean => {
  for (const key of record.demandedBy.keys()) {
    const above = world.records.get(key)
    if (above !== undefined && (above === owner || isBelow(world, above, owner))) return true
  }
  return false
}

/** When the instance was demanded, or rows above it changed last: a gateway that lags may still deny it for a while after that. */
export const grantedAt = (world: World, record: InstanceRecord): number => {
  let at = record.desiredSince
  for (const key of record.demandedBy.keys()) {
    const above = world.records.get(key)
    if (above !== undefined) at = Math.max(at, above.rowsChangedAt, grantedAt(world, above))
  }
  return at
}

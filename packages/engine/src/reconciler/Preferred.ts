/**
 * Which instances are served before others: those somebody looks at, and the owners they hang on, since nothing below an owner
 * commits before it. Kept by counting along `demandedBy`, so that a lease costs its own path and not the graph. Synchronous, over the
 * records that were touched.
 */
import { type InstanceRecord, isDemanded, leasesOn, type World } from "./World.ts"

const noOwners: ReadonlyArray<string> = []

/** Tells a source about one instance. */
export type Prefer = (key: string, leased: boolean) => void

const change = (
  world: World,
  record: InstanceRecord,
  wanted: boolean,
  touched: Array<InstanceRecord>,
  prefer: Prefer,
): void => {
  const owners = wanted ? [...record.demandedBy.keys()] : noOwners
  const before = record.preferredFor
  if (
    wanted === record.preferred &&
    owners.length === before.length &&
    owners.every((key) => before.includes(key))
  )
    return
  for (const key of new Set([...owners, ...before])) {
    const owner = world.records.get(key)
    const step = Number(owners.includes(key)) - Number(before.includes(key))
    if (owner === undefined || step === 0) continue
    owner.preferredBelow += step
    touched.push(owner)
  }
  record.preferredFor = owners
  if (wanted === record.preferred) return
  record.preferred = wanted
  world.agenda.touched.add(record)
  prefer(record.key, wanted)
}

/** Brings the preference of every touched record up to date, and of the owners above. */
export const preferLeased = (world: World, prefer: Prefer): void => {
  const records = [...world.unranked]
  world.unranked.clear()
  for (const record of world.dropped) change(world, record, false, records, prefer)
  world.dropped.clear()
  // Owners are added behind, so that each is looked at after what hangs on it.
  for (const record of records) {
    const looked = record.preferredBelow > 0 || leasesOn(world, record) > 0
    change(world, record, world.hostVisible && isDemanded(record) && looked, records, prefer)
  }
}

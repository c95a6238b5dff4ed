/** Answers "why is this instance (not) here, and what does it wait for?" from the world, in sentences. Pure reading. */
import type { Explanation, RowExplanation } from "../protocol/InstanceStatus.ts"
import { ownersComplete } from "./Agenda.ts"
import { instanceStatus } from "./Status.ts"
import { ancestorsFresh, type InstanceRecord, isDemanded, leasesOn, type World } from "./World.ts"

/** Journal lines an explanation carries at most, newest last. */
const maxLines = 50

const why = (world: World, record: InstanceRecord): ReadonlyArray<string> => {
  const sentences: Array<string> = []
  if (record.rootDemand) sentences.push(`"${record.node.id}" is a root of the graph and syncs always.`)
  for (const owner of record.demandedBy.keys()) sentences.push(`Rows held by ${owner} demand it.`)
  const leases = leasesOn(world, record)
  if (leases > 0) sentences.push(`${leases} lease(s) ask for it.`)
  if (!isDemanded(record)) sentences.push("Nothing demands it; its rows are only kept for a while.")
  return sentences
}

const waitingFor = (world: World, record: InstanceRecord): string | null => {
  if (world.pauses.isPaused) return `the pause to end (${world.pauses.reasons.join(", ")})`
  const state = record.state
  if (state?._tag === "Halted") return "a retry by a person, new credentials or a new definition"
  if (!ancestorsFresh(world, record) && isDemanded(record))
    return `${[...record.demandedBy.keys()].join(", ")} to be up to date`
  switch (state?._tag) {
    case "Pending":
      return "a place among the first snapshots"
    case "Backoff":
      return "its next attempt"
    case "Initial":
    case "Syncing":
    case "Refetching":
      return "the server's up-to-date"
    default:
      return null
  }
}

/** The plan for a record: what is due, and when. Times are epoch milliseconds. */
const nextOf = (world: World, record: InstanceRecord): string | null => {
  const state = record.state
  if (!isDemanded(record)) {
    if (record.revokeAt !== null)
      return ownersComplete(world, record)
        ? `its rows go at ${record.revokeAt}: the binding is gone`
        : "its rows go if the binding is still missing when its owner is complete"
    if (record.keepUntil !== null) return `its rows go at ${record.keepUntil}: nobody asks any more`
  }
  if (state?._tag === "Backoff") return `attempt ${state.attempt + 1} at ${state.retryAt}`
  if (record.hash !== record.instance.hash)
    return "its definition changed: rows are fetched anew beside the old"
  if (record.wantsStart) return "its run starts as soon as its ancestors are current"
  return null
}

/** Which instances hold a row, and why each is here. `keys` come from the store. */
export const explainRow = (
  world: World,
  table: string,
  primaryKey: ReadonlyArray<string>,
  keys: ReadonlyArray<string>,
): RowExplanation => ({
  table,
  primaryKey,
  heldBy: keys.map((key) => {
    const { desired, status, why: reasons } = explain(world, key)
    return { key, node: status?.node ?? null, desired, state: status?.state ?? null, why: reasons }
  }),
})

export const explain = (world: World, key: string): Explanation => {
  const record = world.records.get(key)
  const journal = world.journal.entries(key).slice(-maxLines)
  if (record === undefined)
    return {
      key,
      desired: false,
      why: ["No row, root or lease demands an instance of this key."],
      waitingFor: null,
      next: null,
      status: null,
      definition: null,
      journal,
    }
  return {
    key,
    desired: isDemanded(record),
    why: why(world, record),
    waitingFor: waitingFor(world, record),
    next: nextOf(world, record),
    status: instanceStatus(world, record),
    definition: record.instance.definition,
    journal,
  }
}

/** Answers "why is this instance (not) here, and what does it wait for?" from the world, in sentences. Pure reading. */
import type { Explanation } from "../protocol/InstanceStatus.ts"
import { leasesOn } from "./Desired.ts"
import { instanceStatus } from "./Status.ts"
import { ancestorsFresh, type InstanceRecord, isDemanded, type World } from "./World.ts"

/** Journal lines an explanation carries at most, newest last. */
const maxLines = 50

const why = (world: World, record: InstanceRecord): ReadonlyArray<string> => {
  const sentences: Array<string> = []
  if (record.rootDemand) sentences.push(`"${record.node.id}" is a root of the graph and syncs always.`)
  for (const owner of record.demandedBy) sentences.push(`Rows held by ${owner} demand it.`)
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
    return `${[...record.demandedBy].join(", ")} to be up to date`
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

export const explain = (world: World, key: string): Explanation => {
  const record = world.records.get(key)
  const journal = world.journal.entries(key).slice(-maxLines)
  if (record === undefined)
    return {
      key,
      desired: false,
      why: ["No row, root or lease demands an instance of this key."],
      waitingFor: null,
      status: null,
      definition: null,
      journal,
    }
  return {
    key,
    desired: isDemanded(record),
    why: why(world, record),
    waitingFor: waitingFor(world, record),
    status: instanceStatus(world, record),
    definition: record.instance.definition,
    journal,
  }
}

/** Answers "why is this instance (not) here, and what does it wait for?" from the world, in sentences. Pure reading. */
import type { SourceWait } from "../ports/ShapeSource.ts"
import type { Explanation, RowExplanation } from "../protocol/InstanceStatus.ts"
import { ownersComplete } from "./Agenda.ts"
import { instanceStatus } from "./Status.ts"
import { ancestorsFresh, type InstanceRecord, isDemanded, leasesOn, type World } from "./World.ts"

/** Journal lines an explanation carries at most, newest last. */
const maxLines = 50

const noView: SourceView = { wait: null, now: 0 }

const why = (world: World, record: InstanceRecord): ReadonlyArray<string> => {
  const sentences: Array<string> = []
  if (record.rootDemand) sentences.push(`"${record.node.id}" is a root of the graph and syncs always.`)
  for (const owner of record.demandedBy.keys()) sentences.push(`Rows held by ${owner} demand it.`)
  const leases = leasesOn(world, record)
  if (leases > 0) sentences.push(`${leases} lease(s) ask for it.`)
  if (!isDemanded(record)) sentences.push("Nothing demands it; its rows are only kept for a while.")
  return sentences
}

/** What the source says of an instance, and when it was asked (epoch milliseconds). */
export interface SourceView {
  readonly wait: SourceWait | null
  readonly now: number
}

const gateSentence = (world: World, { gate, millis, waiting }: SourceWait, now: number): string => {
  const { liveSliceMillis, maxConnections, recoveryRequestsPerSecond, requestTimeoutMillis } = world.config
  const until = now + (millis ?? 0)
  switch (gate) {
    case "retry-after":
      return `the server, which asked everybody for patience (Retry-After) until ${until}`
    case "breaker":
      return `the server, which failed several times in a row: it is left alone until ${until}`
    case "probe":
      return `the one request that tries the server out, which is answered or given up within ${requestTimeoutMillis} ms`
    case "budget":
      return `its turn: ${waiting} wait, and after failures ${recoveryRequestsPerSecond} requests a second are sent, the next at ${until}`
    case "connection":
      return `a connection: ${waiting} wait for one of ${maxConnections}, and a poll gives way after ${liveSliceMillis} ms`
  }
}

const waitingFor = (world: World, record: InstanceRecord, { now, wait }: SourceView): string | null => {
  if (world.pauses.isPaused) return `the pause to end (${world.pauses.reasons.join(", ")})`
  const state = record.state
  if (state?._tag === "Halted") return "a retry by a person, new credentials or a new definition"
  if (!ancestorsFresh(world, record) && isDemanded(record))
    return `${[...record.demandedBy.keys()].join(", ")} to be up to date`
  switch (state?._tag) {
    case "Pending":
      return "a place among the first snapshots"
    case "Backoff":
      return wait !== null && now + (wait.millis ?? 0) > state.retryAt
        ? gateSentence(world, wait, now)
        : "its next attempt"
    case "Initial":
    case "Syncing":
    case "Refetching":
      return wait === null ? "the server's up-to-date" : gateSentence(world, wait, now)
    case "Live":
      return wait === null ? null : gateSentence(world, wait, now)
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

export const explain = (world: World, key: string, view: SourceView = noView): Explanation => {
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
    waitingFor: waitingFor(world, record, view),
    next: nextOf(world, record),
    status: instanceStatus(world, record),
    definition: record.instance.definition,
    journal,
  }
}

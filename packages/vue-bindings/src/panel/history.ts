/**
 * What the journal tells about states: the history of one instance, and which state every instance had at a moment. Pure;
 * reads the journal's own lines, so the panel and the engine cannot disagree.
 */
import type { InstanceStatus, JournalEntry, StateName } from "@espalier/engine/protocol"
import { stateOrder } from "./format.ts"

/** One change of state, as the journal's `state` line says it: `Syncing → Live on UpToDate`. */
export interface StateChange {
  readonly seq: number
  readonly at: number
  readonly key: string
  /** Null where the line names a state this panel does not know. */
  readonly from: StateName | null
  readonly to: StateName | null
  /** The event that caused it. */
  readonly event: string
}

const stateLine = /^(\w+) → (\w+) on (\w+)$/
const asState = (text: string | undefined): StateName | null =>
  stateOrder.find((state) => state === text) ?? null

/** The changes of state among the entries, in their order. */
export const stateChanges = (entries: ReadonlyArray<JournalEntry>): ReadonlyArray<StateChange> =>
  entries.flatMap(({ seq, at, key, event, detail }) => {
    const match = event === "state" && key !== null ? stateLine.exec(detail) : null
    if (match === null || key === null) return []
    return [{ seq, at, key, from: asState(match[1]), to: asState(match[2]), event: match[3] ?? "" }]
  })

export interface Stay {
  readonly state: StateName
  readonly since: number
  /** Null: it is the state of now. */
  readonly until: number | null
  /** What brought it there; null where the journal does not reach back that far. */
  readonly event: string | null
}

/** How long one instance was in which state, newest first. */
export const stateHistory = (
  instance: InstanceStatus,
  entries: ReadonlyArray<JournalEntry>,
): ReadonlyArray<Stay> => {
  const changes = stateChanges(entries).filter(({ key }) => key === instance.key)
  const stays: Array<Stay> = []
  let until: number | null = null
  for (const change of [...changes].reverse()) {
    if (change.to !== null) {
      stays.push({ state: change.to, since: change.at, until, event: change.event })
    }
    until = change.at
  }
  return stays.length > 0
    ? stays
    : [{ state: instance.state, since: instance.since, until: null, event: null }]
}

/** The times the entries cover; null without entries. */
export const journalSpan = (
  entries: ReadonlyArray<JournalEntry>,
): { readonly from: number; readonly to: number } | null => {
  const [first, last] = [entries[0], entries.at(-1)]
  return first === undefined || last === undefined ? null : { from: first.at, to: last.at }
}

/**
 * The instances with the state each had at a moment, found by undoing the journal's lines from now back. An instance
 * that was first desired later is left out; one that is gone by now is not among them.
 */
export const instancesAt = (
  instances: ReadonlyArray<InstanceStatus>,
  entries: ReadonlyArray<JournalEntry>,
  at: number,
): ReadonlyArray<InstanceStatus> => {
  const before = new Map<string, StateChange>()
  const born = new Set<string>()
  for (const entry of [...entries].reverse()) {
    if (entry.at <= at) break
    // What happened before it was desired belongs to an earlier life of the key.
    if (entry.key !== null && entry.event === "desired") born.add(entry.key)
  }
  for (const change of [...stateChanges(entries)].reverse()) {
    if (change.at <= at) break
    before.set(change.key, change)
  }
  const since = new Map<string, number>()
  for (const change of stateChanges(entries)) if (change.at <= at) since.set(change.key, change.at)
  return instances.flatMap((instance) => {
    if (born.has(instance.key) && !since.has(instance.key)) return []
    const undone = before.get(instance.key)
    if (undone?.from === null || undone === undefined) return [instance]
    return [
      { ...instance, state: undone.from, since: since.get(instance.key) ?? instance.since, error: null },
    ]
  })
}

/**
 * Sorts changed records into what the next pass must look at, so that a pass costs what changed and idle instances cost
 * nothing. `touch` is the only way in; `refresh` places every touched record anew from what it is, so no list can disagree
 * with the record for longer than a pass. Synchronous; called by the steps of the reconciler and by the status.
 */
import type { InstanceState } from "../machine/InstanceState.ts"
import { makeTally, type Entry, type Heap, type Tally } from "./agendaParts.ts"
import { ancestorsFresh, type InstanceRecord, isDemanded, isFresh, type World } from "./World.ts"

/** The state, or the one a pause holds. */
export const inner = (state: InstanceState | null): InstanceState | null =>
  state?._tag === "Paused" ? state.previous : state

/** Errors that mean "not allowed" rather than "broken". */
const blockedReasons: ReadonlySet<string> = new Set(["Unauthorised", "Forbidden"])

const Bit = { desired: 1, fresh: 2, incomplete: 4, blocked: 8, failed: 16 } as const

/** The tally of a node. */
export const tallyOf = (world: World, node: string): Tally<InstanceRecord> => {
  const known = world.agenda.tallies.get(node)
  if (known !== undefined) return known
  const tally = makeTally<InstanceRecord>()
  world.agenda.tallies.set(node, tally)
  return tally
}

/** Places every touched record. Cheap when nothing was touched. */
export const refresh = (world: World): void => {
  const { agenda } = world
  if (agenda.touched.size === 0) return
  const leaving = agenda.leaving.size > 0
  // A record may be touched again by the placing of another: it is then visited again.
  for (const record of agenda.touched) {
    agenda.touched.delete(record)
    place(world, record)
  }
  if (leaving && agenda.leaving.size === 0) for (const record of agenda.parked) unpark(world, record)
}

const unpark = (world: World, record: InstanceRecord): void => {
  world.agenda.parked.delete(record)
  world.agenda.arrived.add(record)
}

const member = (set: Set<InstanceRecord>, record: InstanceRecord, belongs: boolean): void => {
  if (belongs) set.add(record)
  else set.delete(record)
}

const place = (world: World, record: InstanceRecord): void => {
  const { agenda } = world
  const known = world.records.get(record.key) === record
  const state = known ? record.state : null
  const eligible = known && ancestorsFresh(world, record)
  const tag = state?._tag
  member(agenda.arrived, record, record.arrived !== null)
  agenda.parked.delete(record)
  member(agenda.wanting, record, record.wantsStart && eligible)
  member(agenda.leaving, record, known && record.revokeAt !== null && !isDemanded(record))
  member(agenda.snapshots, record, tag === "Initial" || tag === "Refetching")
  const held = inner(state)
  member(agenda.denied, record, held?._tag === "Halted" && held.error.reason._tag === "Forbidden")
  queue(world, record, eligible && tag === "Pending")
  count(world, record, known)
  setTimer(world, record, known ? dueAt(world, record, eligible) : null)
}

/** Into the queue of admission, or out of it. */
const queue = (world: World, record: InstanceRecord, waits: boolean): void => {
  const { place: at } = record
  if (!waits) {
    at.queued = null
    return
  }
  const { desiredSince, preferred } = record
  if (at.queued !== null && at.queued.at === desiredSince && at.queued.preferred === preferred) return
  at.queued = { record, at: desiredSince, preferred }
  const heap = record.state?._tag === "Pending" && record.state.checkpoint !== null ? "resuming" : "first"
  world.agenda[heap].push(at.queued)
}

/** The next record to admit from a queue, which it leaves; null when nobody can be admitted. */
export const takeQueued = (world: World, heap: Heap<Entry<InstanceRecord>>): InstanceRecord | null => {
  for (let entry = heap.pop(); entry !== undefined; entry = heap.pop()) {
    const { record } = entry
    if (record.place.queued !== entry) continue
    record.place.queued = null
    // Its owner lost its place meanwhile; when that is current again, this one is placed anew.
    if (record.state?._tag === "Pending" && ancestorsFresh(world, record)) return record
  }
  return null
}

const setTimer = (world: World, record: InstanceRecord, at: number | null): void => {
  if (at === (record.place.timer?.at ?? null)) return
  record.place.timer = at === null ? null : { record, at, preferred: false }
  if (record.place.timer !== null) world.agenda.timers.push(record.place.timer)
}

/** Has the record looked at in the next pass, whatever its time. */
export const hurry = (world: World, record: InstanceRecord): void => {
  record.place.timer = { record, at: Number.NEGATIVE_INFINITY, preferred: false }
  world.agenda.timers.push(record.place.timer)
}

/** When something of the record is due; null while only an event can move it. */
const dueAt = (world: World, record: InstanceRecord, eligible: boolean): number | null => {
  let due: number | null = null
  const consider = (at: number | null): void => {
    if (at !== null && (due === null || at < due)) due = at
  }
  if (record.state?._tag === "Backoff" && eligible) consider(record.state.retryAt)
  if (!isDemanded(record)) {
    if (ownersComplete(world, record)) consider(record.revokeAt)
    consider(record.keepUntil)
  }
  return due
}

/** While an owner has never been complete, a missing binding may only be missing yet. */
export const ownersComplete = (world: World, record: InstanceRecord): boolean => {
  const owner = world.ownership.get(record.node.id)?.owner ?? null
  return owner === null || (world.agenda.tallies.get(owner)?.incomplete ?? 0) === 0
}

/** The next due entry, stale ones dropped. */
const nextTimer = (world: World): Entry<InstanceRecord> | null => {
  const { timers } = world.agenda
  for (let top = timers.top; top !== undefined; top = timers.top) {
    if (top.record.place.timer === top) return top
    timers.pop()
  }
  return null
}

/** When something is due next (epoch milliseconds), or null. */
export const nextDue = (world: World): number | null => {
  refresh(world)
  return nextTimer(world)?.at ?? null
}

/** Records whose time has come, in order; each leaves the timers until it is placed again. */
export const takeDue = (world: World, now: number): ReadonlyArray<InstanceRecord> => {
  refresh(world)
  const due: Array<InstanceRecord> = []
  for (let entry = nextTimer(world); entry !== null && entry.at <= now; entry = nextTimer(world)) {
    entry.record.place.timer = null
    due.push(entry.record)
  }
  return due
}

const bitsOf = (record: InstanceRecord): number => {
  if (!isDemanded(record)) return 0
  const state = inner(record.state)
  const halted = state?._tag === "Halted" ? state.error.reason._tag : null
  return (
    Bit.desired |
    (isFresh(record) ? Bit.fresh : 0) |
    (record.held?.complete === true ? 0 : Bit.incomplete) |
    (halted === null ? 0 : blockedReasons.has(halted) ? Bit.blocked : Bit.failed)
  )
}

/** Brings the node's tally up to date, and wakes what waited for this record to be current or complete. */
const count = (world: World, record: InstanceRecord, known: boolean): void => {
  const { place: at } = record
  const tally = tallyOf(world, record.node.id)
  const before = at.bits
  const bits = known ? bitsOf(record) : 0
  const rows = (bits & Bit.desired) === 0 ? 0 : (record.held?.rows ?? 0)
  const change = (bit: number): number => Math.sign(bits & bit) - Math.sign(before & bit)
  at.bits = bits
  tally.rows += rows - at.rows
  at.rows = rows
  tally.fresh += change(Bit.fresh)
  tally.incomplete += change(Bit.incomplete)
  tally.blocked += change(Bit.blocked)
  tally.failed += change(Bit.failed)
  member(tally.desired, record, (bits & Bit.desired) !== 0)
  const tag = inner(record.state)?._tag
  member(tally.troubled, record, (bits & Bit.desired) !== 0 && (tag === "Backoff" || tag === "Halted"))
  if (change(Bit.incomplete) < 0 && tally.incomplete === 0)
    for (const leaving of world.agenda.leaving) world.agenda.touched.add(leaving)
  if (change(Bit.fresh) > 0) wakeBelow(world, record)
}

/** What waited for this owner: its children, and below those that are current themselves. */
const wakeBelow = (world: World, owner: InstanceRecord): void => {
  for (const { tuples } of owner.demands)
    for (const { keys } of tuples.values())
      for (const key of keys) {
        const child = key === null ? undefined : world.records.get(key)
        if (child === undefined) continue
        world.agenda.touched.add(child)
        if (isFresh(child)) wakeBelow(world, child)
      }
}

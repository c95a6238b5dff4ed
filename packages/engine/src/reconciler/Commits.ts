/**
 * Everything ready goes into the store in one transaction; what came of it goes back into the world. The only caller of
 * the store's writes. A rejected share halts or refetches its own instance; a failed store fails all shares of the call.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { CommitResult, InstanceCommit, LocalStore, StoreError } from "../ports/LocalStore.ts"
import { isChange, isEvent } from "../protocol/Message.ts"
import {
  ProtocolViolation,
  QuotaExceeded,
  RowRejected,
  ShapeError,
  StoreUnavailable,
} from "../protocol/ShapeError.ts"
import { judge } from "./Arrivals.ts"
import { demandChildren, type DemandChange, keyOfChild, noChange } from "./Desired.ts"
import { fail, reopenDenied, restart, send, takeIn } from "./Steps.ts"
import { type Arrived, type InstanceRecord, isDemanded, touch, type World } from "./World.ts"

export type Store = LocalStore["Service"]

interface Ready {
  readonly record: InstanceRecord
  readonly share: InstanceCommit
  readonly arrived: Arrived
}

const movesRows = (share: InstanceCommit): boolean =>
  share.mode === "swap" || share.messages.some((message) => isChange(message) || isEvent(message))

const accept = (world: World, { record, share }: Ready, rows: number, now: number): void => {
  const staged = share.mode === "stage"
  record.held = {
    hash: share.instance.hash,
    table: share.instance.table,
    checkpoint: staged ? null : share.checkpoint,
    complete: share.upToDate || (record.held?.complete ?? false),
    rows,
    lastUpToDateAt: share.upToDate ? now : (record.held?.lastUpToDateAt ?? null),
  }
  record.buffer = []
  if (share.upToDate) record.fresh = true
  touch(world, record)
  world.journal.add(
    now,
    record.key,
    "commit",
    `${share.mode}, ${share.messages.length} messages${share.upToDate ? ", up to date" : ""}, ${rows} rows held`,
  )
  send(world, record, { _tag: share.upToDate ? "UpToDate" : "Accepted", checkpoint: share.checkpoint }, now)
  if (!staged && movesRows(share) && (world.owned.get(record.node.id) ?? []).length > 0) {
    world.dirtyOwners.add(record.key)
    record.rowsChangedAt = now
  }
}

/** Nothing new since the stored checkpoint: knowing it is enough, for a while. */
const isIdle = (world: World, { record, share }: Ready, now: number): boolean => {
  const held = record.held
  return (
    share.mode === "append" &&
    share.upToDate &&
    share.messages.length === 0 &&
    held?.complete === true &&
    held.hash === share.instance.hash &&
    held.checkpoint?.handle === share.checkpoint.handle &&
    held.checkpoint.offset === share.checkpoint.offset &&
    now - record.storedUpToDateAt < world.config.idleCommitMillis
  )
}

/** Collects the shares that may be committed now; buffers, drops or leaves the other arrivals. */
const gather = Effect.fnUntraced(function* (world: World, now: number) {
  const ready: Array<Ready> = []
  let idle = false
  for (const record of [...world.attention]) {
    const verdict = judge(world, record)
    if (verdict === null || verdict._tag === "Waits") continue
    record.arrived = null
    if (verdict._tag === "Share") {
      const entry: Ready = { record, share: verdict.share, arrived: verdict.arrived }
      if (!isIdle(world, entry, now)) {
        ready.push(entry)
        continue
      }
      accept(world, entry, record.held?.rows ?? 0, now)
      idle = true
    }
    if (verdict._tag === "Overflow") {
      const message = `more than ${world.config.maxBufferedMessages} messages before an up-to-date`
      const reason = new ProtocolViolation({ message })
      fail(world, record, new ShapeError({ key: record.key, reason }), yield* Random.next, now)
    }
    yield* Deferred.succeed(verdict.arrived.ack, undefined)
  }
  return { ready, idle }
})

const refuse = Effect.fnUntraced(function* (
  world: World,
  { record }: Ready,
  outcome: Extract<CommitResult["outcomes"][number], { readonly _tag: "Rejected" }>,
  now: number,
) {
  if (outcome.kind === "unknown-row" && record.state?._tag !== "Refetching") {
    world.journal.add(now, record.key, "unknown-row", outcome.message)
    send(world, record, { _tag: "MustRefetch" }, now)
    restart(world, record)
    return
  }
  const reason = new RowRejected({ table: outcome.table, message: outcome.message })
  fail(world, record, new ShapeError({ key: record.key, reason }), yield* Random.next, now)
})

const failAll = Effect.fnUntraced(function* (
  world: World,
  ready: ReadonlyArray<Ready>,
  error: StoreError,
  now: number,
) {
  for (const { record } of ready) {
    const reason =
      error.kind === "quota"
        ? new QuotaExceeded({ message: error.message })
        : new StoreUnavailable({ message: error.message })
    fail(world, record, new ShapeError({ key: record.key, reason }), yield* Random.next, now)
  }
})

/** Tables changed by a commit. */
const changedTables = (result: CommitResult): ReadonlyArray<string> => Object.keys(result.changes)

/** Commits what is ready; returns the changed tables, or null when nothing could be taken in. */
export const commitReady = Effect.fnUntraced(function* (world: World, store: Store) {
  const before = yield* Clock.currentTimeMillis
  const { idle, ready } = yield* gather(world, before)
  if (ready.length === 0) return idle ? [] : null
  for (const { record } of ready) record.tried = true
  const result = yield* store
    .commit(ready.map(({ share }) => share))
    .pipe(Effect.withSpan("espalier.commit", { attributes: { shares: ready.length } }), Effect.result)
  const now = yield* Clock.currentTimeMillis
  if (result._tag === "Failure") {
    yield* failAll(world, ready, result.failure, now)
    return []
  }
  const outcomes = new Map(result.success.outcomes.map((outcome) => [outcome.key, outcome]))
  for (const entry of ready) {
    const outcome = outcomes.get(entry.record.key)
    if (outcome?._tag === "Committed") {
      accept(world, entry, outcome.rows, now)
      if (entry.share.upToDate) entry.record.storedUpToDateAt = now
      yield* Deferred.succeed(entry.arrived.ack, undefined)
    } else if (outcome !== undefined) yield* refuse(world, entry, outcome, now)
  }
  return changedTables(result.success)
})

/** Reads again what the rows of changed owners demand, level by level. Returns whether anything was read. */
export const refreshDemand = Effect.fnUntraced(function* (world: World, store: Store) {
  let read = false
  while (world.dirtyOwners.size > 0) {
    read = true
    const keys = [...world.dirtyOwners]
    const owners = keys
      .map((key) => world.records.get(key))
      .filter((record): record is InstanceRecord => record !== undefined && isDemanded(record))
    const change = noChange()
    yield* readOwners(world, store, owners, change)
    for (const owner of owners) reopenDenied(world, owner, yield* Clock.currentTimeMillis)
    // Only now: had the store failed, the next pass must read them again.
    for (const key of keys) world.dirtyOwners.delete(key)
    takeIn(world, change, "revoked", yield* Clock.currentTimeMillis)
  }
  return read
})

const readOwners = Effect.fnUntraced(function* (
  world: World,
  store: Store,
  owners: ReadonlyArray<InstanceRecord>,
  change: DemandChange,
) {
  const byNode = Map.groupBy(owners, (record) => record.node.id)
  const now = yield* Clock.currentTimeMillis
  for (const [node, records] of byNode)
    for (const owned of world.owned.get(node) ?? []) {
      const columns = (world.ownership.get(owned)?.bindings ?? []).map(({ column }) => column)
      const found = yield* store.ownerValues(
        records.map((record) => record.key),
        columns,
      )
      const byOwner = new Map(found.map(({ owner, values }) => [owner, values]))
      for (const record of records)
        demandChildren(world, record, owned, byOwner.get(record.key) ?? [], now, change)
    }
})

/** Notes what stands below stored instances that nothing demands any more, so that all of it goes in one collection (I13). */
export const linkBelow = Effect.fnUntraced(function* (world: World, store: Store) {
  const retained = [...world.records.values()].filter((record) => record.state === null)
  for (const [node, owners] of Map.groupBy(retained, (record) => record.node.id))
    for (const owned of world.owned.get(node) ?? []) {
      const bindings = world.ownership.get(owned)?.bindings ?? []
      const found = yield* store.ownerValues(
        owners.map(({ key }) => key),
        bindings.map(({ column }) => column),
      )
      const byOwner = new Map(found.map(({ owner, values }) => [owner, values]))
      for (const owner of owners)
        for (const tuple of byOwner.get(owner.key) ?? []) {
          const key = keyOfChild(world, owned, tuple)
          if (key !== null) owner.below.add(key)
        }
    }
})

/** Forgets staged rows of refetches that start over. */
export const discardNoted = Effect.fnUntraced(function* (world: World, store: Store) {
  for (const key of [...world.discards]) {
    yield* store.discardStage(key)
    world.discards.delete(key)
  }
})

/** Drops the noted instances in one transaction; returns the changed tables. */
export const collectNoted = Effect.fnUntraced(function* (world: World, store: Store) {
  const keys = [...world.collects]
  if (keys.length === 0) return []
  const result = yield* store.collect(keys).pipe(Effect.withSpan("espalier.collect"))
  for (const key of keys) world.collects.delete(key)
  return changedTables(result)
})

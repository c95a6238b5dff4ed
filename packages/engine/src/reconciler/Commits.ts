/**
 * Everything ready goes into the store in one transaction; what came of it goes back into the world. The only caller of
 * the store's writes. A rejected share halts or refetches its own instance; a failed store fails all shares of the call.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { CommitResult, InstanceCommit, LocalStore, StoreError } from "../ports/LocalStore.ts"
import { isChange, isEvent } from "../protocol/Message.ts"
import { contentSize } from "../protocol/PackedRows.ts"
import {
  ProtocolViolation,
  QuotaExceeded,
  RowRejected,
  ShapeError,
  StoreUnavailable,
} from "../protocol/ShapeError.ts"
import { judge } from "./Arrivals.ts"
import { refresh } from "./Agenda.ts"
import { holdForStorage } from "./Pauses.ts"
import { fail, restart, send } from "./Steps.ts"
import { markOwner } from "./Owners.ts"
import { type Arrived, type InstanceRecord, touch, type World } from "./World.ts"

export type Store = LocalStore["Service"]

/** A second unknown row within this time is paced as a failure. */
const refetchWindowMillis = 60_000

interface Ready {
  readonly record: InstanceRecord
  readonly share: InstanceCommit
  readonly arrived: Arrived
}

const movesRows = (share: InstanceCommit): boolean =>
  share.mode === "swap" ||
  share.packed !== undefined ||
  share.messages.some((message) => isChange(message) || isEvent(message))

/**
 * The rows a share touched, by primary key; "all" when the share does not say: a swap, a move by tags, a row that lacks a key
 * column, or a log that does not go on from where the held rows stand.
 */
const touchedRows = (
  world: World,
  record: InstanceRecord,
  share: InstanceCommit,
): ReadonlyArray<ReadonlyArray<string>> | "all" => {
  const { held } = record
  if (share.mode !== "append" || held?.hash !== share.instance.hash) return "all"
  if (held.checkpoint?.handle !== share.checkpoint.handle) return "all"
  const columns = world.graph.tables[share.instance.table]?.primaryKey ?? []
  const rows: Array<ReadonlyArray<string>> = []
  for (const message of share.messages) {
    if (isEvent(message)) return "all"
    if (!isChange(message)) continue
    const key = columns.map((column) => message.value[column] ?? null).filter((text) => text !== null)
    if (key.length !== columns.length) return "all"
    rows.push(key)
  }
  return rows
}

const accept = (world: World, { record, share }: Ready, rows: number, now: number): void => {
  const staged = share.mode === "stage"
  const touched = staged || !movesRows(share) ? [] : touchedRows(world, record, share)
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
    `${share.mode}, ${contentSize(share)} messages${share.upToDate ? ", up to date" : ""}, ${rows} rows held`,
  )
  send(world, record, { _tag: share.upToDate ? "UpToDate" : "Accepted", checkpoint: share.checkpoint }, now)
  if (touched.length > 0) {
    markOwner(world, record, touched)
    record.rowsChangedAt = now
  }
}

/** Nothing new since the stored checkpoint: knowing it is enough, for a while. */
const isIdle = (world: World, { record, share }: Ready, now: number): boolean => {
  const held = record.held
  return (
    share.mode === "append" &&
    share.upToDate &&
    contentSize(share) === 0 &&
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
  refresh(world)
  for (const record of [...world.agenda.arrived]) {
    world.agenda.arrived.delete(record)
    const verdict = judge(world, record)
    if (verdict === null) continue
    if (verdict._tag === "Waits") {
      world.agenda.parked.add(record)
      continue
    }
    record.arrived = null
    touch(world, record)
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
    verdict.arrived.ack()
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
    const again = now - record.refetchedAt < refetchWindowMillis
    record.refetches = again ? record.refetches + 1 : 0
    record.refetchedAt = now
    if (!again) return restart(world, record)
    // A server whose log and snapshot never agree would be asked for the whole shape without end.
    const message = `${outcome.message}, also after a refetch`
    const reason = new ProtocolViolation({ message })
    return fail(world, record, new ShapeError({ key: record.key, reason }), yield* Random.next, now)
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
  if (error.kind === "quota") holdForStorage(world, now)
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
      entry.arrived.ack()
    } else if (outcome !== undefined) yield* refuse(world, entry, outcome, now)
  }
  return changedTables(result.success)
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

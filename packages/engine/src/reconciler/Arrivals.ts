/**
 * From arrived batches to shares of a commit: decides what may become visible now and what waits for its up-to-date
 * (design §5.3). Touches only the record's own buffer; committing is the reconciler's.
 */
import type { InstanceCommit } from "../ports/LocalStore.ts"
import type { Batch } from "../ports/ShapeSource.ts"
import { isChange, type Message } from "../protocol/Message.ts"
import { ancestorsFresh, type Arrived, type InstanceRecord, isRunning, type World } from "./World.ts"
import { contentSize, withContent } from "../protocol/PackedRows.ts"

export type Verdict =
  /** Commit this share now. */
  | { readonly _tag: "Share"; readonly share: InstanceCommit; readonly arrived: Arrived }
  /** Taken in; its up-to-date is still to come. */
  | { readonly _tag: "Buffered"; readonly arrived: Arrived }
  /** Ancestors are not up to date: ask again when they are. */
  | { readonly _tag: "Waits" }
  /** The instance cannot hold that much before an up-to-date. */
  | { readonly _tag: "Overflow"; readonly arrived: Arrived }
  /** No longer wanted. */
  | { readonly _tag: "Dropped"; readonly arrived: Arrived }

const isLogEntry = (message: Message): boolean => isChange(message) && message.headers.lsn !== undefined

/** Packed rows are a snapshot's. */
const hasLogEntries = (batch: Batch): boolean => batch.packed === undefined && batch.messages.some(isLogEntry)

/** A part of a first snapshot may land at once; log never before its up-to-date. */
const mayLand = (record: InstanceRecord, batch: Batch): boolean =>
  batch.upToDate || (record.held?.complete !== true && record.buffer.length === 0 && !hasLogEntries(batch))

/** What to do with the record's arrived batch. */
export const judge = (world: World, record: InstanceRecord): Verdict | null => {
  const arrived = record.arrived
  if (arrived === null) return null
  if (!isRunning(record)) return { _tag: "Dropped", arrived }
  // While something is about to be revoked: after a gap it goes before anything new becomes readable (design §4).
  if (!ancestorsFresh(world, record) || (!record.fresh && world.agenda.leaving.size > 0))
    return { _tag: "Waits" }
  const { batch } = arrived
  const refetching = record.state?._tag === "Refetching"
  if (!refetching && !mayLand(record, batch)) {
    if (record.buffer.length + contentSize(batch) > world.config.maxBufferedMessages)
      return { _tag: "Overflow", arrived }
    // One by one: a long argument list overflows the stack.
    for (const message of batch.messages) record.buffer.push(message)
    return { _tag: "Buffered", arrived }
  }
  const facts = {
    instance: record.instance,
    mode: refetching ? (batch.upToDate ? "swap" : "stage") : "append",
    checkpoint: batch.checkpoint,
    upToDate: batch.upToDate,
  } as const
  const content = record.buffer.length === 0 ? batch : { messages: [...record.buffer, ...batch.messages] }
  const share: InstanceCommit = withContent(facts, content)
  return { _tag: "Share", share, arrived }
}

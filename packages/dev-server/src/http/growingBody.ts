/**
 * The body of a snapshot chunk that is still being made: what there is at once, the rest as pages are read. A body whose
 * shape becomes void is broken off, so that no client takes a part for the whole; it then hears 409.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type OpenChunk, separator } from "../shapes/SnapshotChunks.ts"
import type { Serving } from "./serving.ts"

/** The chunk will not be finished. */
export class ChunkAbandoned extends Error {
  readonly _tag = "ChunkAbandoned"
  constructor() {
    super("The snapshot was given up while it was being sent")
    this.name = "ChunkAbandoned"
  }
}

const encoder = new TextEncoder()

/** Messages of one piece at most, so that a reader that is late costs no second copy of the chunk. */
const maxMessagesPerPiece = 5_000

/** Where a reader stands: messages sent so far, `-1` before the opening bracket. */
type Position = number | "done"

/** The body of `chunk`, the open chunk of the served shape. */
export const growing = (serving: Serving, chunk: OpenChunk): Stream.Stream<Uint8Array, ChunkAbandoned> =>
  Stream.unfold(-1 as Position, (position) => next(serving, chunk, position))

const next = Effect.fnUntraced(function* (serving: Serving, chunk: OpenChunk, position: Position) {
  if (position === "done") return undefined
  const sent = Math.max(0, position)
  if (position < 0) return [encoder.encode("["), 0 as Position] as const
  if (chunk.messages.length === sent && !chunk.isClosed) yield* waitForMore(serving, chunk, sent)
  if (chunk.messages.length > sent) {
    const piece = chunk.messages.slice(sent, sent + maxMessagesPerPiece)
    const text = (sent === 0 ? "" : separator) + piece.join(separator)
    return [encoder.encode(text), (sent + piece.length) as Position] as const
  }
  if (chunk.isClosed) return [encoder.encode("]"), "done" as Position] as const
  return yield* Effect.fail(new ChunkAbandoned())
})

/** Resolves when the chunk has grown or was closed, or never will. */
const waitForMore = ({ options, shape }: Serving, chunk: OpenChunk, sent: number): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const isDone = (): boolean =>
      chunk.messages.length > sent || chunk.isClosed || shape.isVoid || options.isClosing()
    if (isDone()) {
      resume(Effect.void)
      return
    }
    const look = (): void => {
      if (isDone()) resume(Effect.void)
    }
    const stopWatching = shape.snapshot.watch(look)
    shape.waiters.add(look)
    return Effect.sync(() => {
      stopWatching()
      shape.waiters.delete(look)
    })
  })

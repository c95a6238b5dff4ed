/**
 * What naive readers of the miniature server know: one per shape, each at its own place in its shape's log, lagging as it
 * likes. They make the shares of a commit and say what every store must then show: whose rows are held, and which version of
 * each is readable. Exists so that random runs and crash runs share one oracle; it can be copied, because after a crash either
 * the state before or the state after a commit is the truth. Knows no store.
 */
import type { InstanceCommit } from "../../src/ports/LocalStore.ts"
import type { Message } from "../../src/protocol/Message.ts"
import { shareOf } from "../../src/testing/localStoreKit.ts"
import { snapshotEnd } from "../../src/testing/messages.ts"
import type { Seeded } from "../../src/testing/random.ts"
import { overlapInstance } from "./overlapGraph.ts"
import type { Handle, OverlapServer, ShapeName, Unit } from "./overlapServer.ts"

/** A naive reader of one shape. */
export interface Reader {
  readonly handle: Handle
  /** Snapshot rows read so far; null once the snapshot is done. */
  read: number | null
  /** Next unit of the shape's log. */
  position: number
  /** A refetch into the stage; `view` stays the old one until the swap. */
  refetching: boolean
  complete: boolean
  /** Offset of the readable rows; null while a refetch is under way. */
  offset: string | null
  view: ReadonlyMap<number, number>
  staged: ReadonlyMap<number, number>
  last: InstanceCommit | null
}

/** What was told about a row since somebody began to hold it: version → who told it. `lost`: told by a snapshot that was never ranked. */
interface Told {
  readonly seqs: Map<number, Set<ShapeName>>
  readonly lost: Set<number>
}

/** How much of a log or snapshot a share takes. */
export interface Pace {
  /** Snapshot rows per share, fewer than this. */
  readonly chunk: number
  /** How often a handle is shared with an earlier reader of the shape, so that its snapshot is an old one. */
  readonly cachedHandles: number
}

export const defaultPace: Pace = { chunk: 4, cachedHandles: 0.5 }

export class OverlapWorld {
  readonly server: OverlapServer
  readonly readers: Map<ShapeName, Reader>
  readonly #random: Seeded
  readonly #pace: Pace
  readonly #cached: Map<ShapeName, Handle>
  #told: Map<number, Told>

  constructor(server: OverlapServer, random: Seeded, pace: Pace = defaultPace) {
    this.server = server
    this.readers = new Map()
    this.#random = random
    this.#pace = pace
    this.#cached = new Map()
    this.#told = new Map()
  }

  /** The same readers at the same places, of the same server; what happens to the copy leaves this one alone. */
  copy(): OverlapWorld {
    const made = new OverlapWorld(this.server, this.#random, this.#pace)
    for (const [shape, reader] of this.readers) made.readers.set(shape, { ...reader })
    for (const [shape, handle] of this.#cached) made.#cached.set(shape, handle)
    for (const [id, told] of this.#told)
      made.#told.set(id, {
        seqs: new Map([...told.seqs].map(([seq, shapes]) => [seq, new Set(shapes)])),
        lost: new Set(told.lost),
      })
    return made
  }

  /** The next share of a shape; its reader has read it then. `refetch`: its handle is void. `all`: everything there is. */
  next(
    shape: ShapeName,
    options: { readonly refetch?: boolean; readonly all?: boolean } = {},
  ): InstanceCommit {
    const known = this.readers.get(shape)
    const reader =
      known === undefined || (options.refetch === true && !known.refetching)
        ? this.#begin(shape, known)
        : known
    this.readers.set(shape, reader)
    const share = this.#share(shape, reader, options.all === true)
    reader.last = share
    return share
  }

  /** The same share once more, as after a lost answer; null when there is none that could be repeated. */
  repeat(shape: ShapeName): InstanceCommit | null {
    const reader = this.readers.get(shape)
    return reader === undefined || reader.refetching ? null : reader.last
  }

  /** The instance was collected. */
  forget(shape: ShapeName): void {
    const reader = this.readers.get(shape)
    if (reader === undefined) return
    if (this.#isOpen(reader)) this.#lose(shape, reader)
    this.readers.delete(shape)
    this.#forgetGone()
  }

  /** Everything was wiped. */
  wipe(): void {
    this.readers.clear()
    this.#told.clear()
  }

  /**
   * The process died, or the stage of a shape (all, when none is named) was discarded: refetches under way start over. Nobody
   * repeats a share after that: the machine discards a stage only to begin anew.
   */
  restartRefetches(only?: ShapeName): void {
    for (const [shape, reader] of this.readers) {
      if (only !== undefined && only !== shape) continue
      if (reader.refetching) this.readers.set(shape, this.#begin(shape, reader))
      else if (only !== undefined) reader.last = null
    }
  }

  isCaughtUp(shape: ShapeName): boolean {
    const reader = this.readers.get(shape)
    if (reader === undefined) return true
    return reader.read === null && !reader.refetching && reader.position === this.server.log(shape).length
  }

  /** Rows that some reader holds, sorted, each with the versions that may be readable: one, unless a snapshot is still open. */
  expected(): ReadonlyMap<number, ReadonlySet<number>> {
    const rows = new Map<number, ReadonlySet<number>>()
    for (const id of [...this.#told.keys()].sort((left, right) => left - right)) {
      const told = this.#told.get(id)
      if (told === undefined) continue
      const open = [...this.readers.values()].some((reader) => this.#isOpen(reader) && reader.view.has(id))
      const highest = told.seqs.size === 0 ? [] : [Math.max(...told.seqs.keys())]
      rows.set(id, new Set([...(open ? told.seqs.keys() : highest), ...told.lost]))
    }
    return rows
  }

  #isOpen(reader: Reader): boolean {
    return reader.read !== null && !reader.refetching
  }

  #handleOf(shape: ShapeName): Handle {
    const known = this.#cached.get(shape)
    if (known !== undefined && this.#random.chance(this.#pace.cachedHandles)) return known
    const made = this.server.serve(shape)
    this.#cached.set(shape, made)
    return made
  }

  #begin(shape: ShapeName, old: Reader | undefined): Reader {
    const handle = old === undefined ? this.#handleOf(shape) : this.server.serve(shape)
    if (old !== undefined && this.#isOpen(old)) this.#lose(shape, old)
    return {
      handle,
      read: 0,
      position: handle.start,
      refetching: old !== undefined,
      complete: old?.complete ?? false,
      offset: null,
      view: old?.view ?? new Map(),
      staged: new Map(),
      last: null,
    }
  }

  #share(shape: ShapeName, reader: Reader, all: boolean): InstanceCommit {
    const messages: Array<Message> = []
    const effects: Array<readonly [id: number, seq: number | null]> = []
    const handle = reader.handle.name
    if (reader.read !== null) {
      const { rows } = reader.handle
      const size = all ? rows.length : this.#random.below(this.#pace.chunk)
      const to = Math.min(rows.length, reader.read + size)
      messages.push(...this.server.snapshot(shape, reader.handle, reader.read, to))
      for (const [id, version] of rows.slice(reader.read, to)) effects.push([id, version.seq])
      const ended = to === rows.length && (all || this.#random.chance(0.7))
      reader.read = ended ? null : to
      if (!ended) {
        const mode = reader.refetching ? "stage" : "append"
        const share = shareOf(overlapInstance(shape), messages, {
          mode,
          handle,
          offset: `0_${to}`,
          upToDate: false,
        })
        this.#take(shape, reader, effects, share)
        return share
      }
      messages.push(snapshotEnd(reader.handle.visibility))
    }
    const rest = this.server.log(shape).slice(reader.position)
    const units: ReadonlyArray<Unit> =
      all || reader.refetching ? rest : rest.slice(0, this.#random.below(rest.length + 1))
    for (const unit of units) {
      messages.push(...unit.messages(handle))
      effects.push(...unit.effects)
    }
    reader.position += units.length
    const mode = reader.refetching ? "swap" : "append"
    const share = shareOf(overlapInstance(shape), messages, { mode, handle, offset: `${reader.position}_0` })
    this.#take(shape, reader, effects, share)
    return share
  }

  #take(
    shape: ShapeName,
    reader: Reader,
    effects: ReadonlyArray<readonly [id: number, seq: number | null]>,
    share: InstanceCommit,
  ): void {
    const target = new Map(reader.refetching ? reader.staged : reader.view)
    for (const [id, seq] of effects) {
      if (seq === null) target.delete(id)
      else target.set(id, seq)
    }
    reader.offset = share.mode === "stage" ? null : share.checkpoint.offset
    if (share.mode === "stage") {
      reader.staged = target
      return
    }
    const named = share.mode === "swap" ? target.keys() : new Set(effects.map(([id]) => id))
    reader.view = target
    this.#forgetGone()
    for (const id of named) {
      const seq = target.get(id)
      if (seq !== undefined) this.#tell(shape, id, seq)
    }
    reader.staged = new Map()
    reader.refetching = false
    reader.complete ||= share.upToDate
  }

  #tell(shape: ShapeName, id: number, seq: number): void {
    const told = this.#told.get(id) ?? { seqs: new Map<number, Set<ShapeName>>(), lost: new Set<number>() }
    told.seqs.set(seq, (told.seqs.get(seq) ?? new Set<ShapeName>()).add(shape))
    this.#told.set(id, told)
  }

  /** A row that nobody holds is gone; whoever brings it back, in the same commit even, may bring an older version. */
  #forgetGone(): void {
    for (const id of [...this.#told.keys()])
      if (![...this.readers.values()].some(({ view }) => view.has(id))) this.#told.delete(id)
  }

  /** A snapshot ends without its end: what it told is never ranked, and stays only where nobody ranked tells otherwise. */
  #lose(shape: ShapeName, reader: Reader): void {
    for (const [id, seq] of reader.view) {
      const told = this.#told.get(id)
      const tellers = told?.seqs.get(seq)
      if (told === undefined || tellers === undefined) continue
      told.lost.add(seq)
      tellers.delete(shape)
      if (tellers.size === 0) told.seqs.delete(seq)
    }
  }
}

/**
 * One random run of a local store against the miniature server, with a naive reader per instance as the oracle: provenance is
 * exactly what the readers hold, every local row is a version that really was, none is older than a holder knows, and none goes
 * back while it is held. The same run on any store, so that the two implementations are held to one truth.
 */
import * as Effect from "effect/Effect"
import { Graph } from "../../src/graph/index.ts"
import type { InstanceCommit } from "../../src/ports/LocalStore.ts"
import { type LocalStoreHarness, same, shareOf, storeInstance } from "../../src/testing/localStoreKit.ts"
import { snapshotEnd } from "../../src/testing/messages.ts"
import { seeded } from "../support/seeded.ts"
import { type Handle, overlapServer, mixes, plainGroups, type ShapeName, type Unit } from "./overlapServer.ts"

export const overlapGraph = Graph.make({
  name: "overlap",
  tables: { cells: { columns: { id: "int4", grp: "int4?", v: "text?", w: "text?" }, primaryKey: ["id"] } },
  nodes: { cells: { table: "cells", key: "cells" } },
})

/** A naive reader of one shape. */
interface Reader {
  handle: Handle
  /** Snapshot rows read so far; null once the snapshot is done. */
  read: number | null
  /** Next unit of the shape's log. */
  position: number
  /** A refetch into the stage; `view` stays the old one until the swap. */
  refetching: boolean
  view: Map<number, number>
  staged: Map<number, number>
  last: InstanceCommit | null
}

/** Runs one seed. Fails with what differs. */
export const overlapRun = (
  harness: LocalStoreHarness,
  seed: number,
  steps = 60,
): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    const random = seeded(seed)
    const server = overlapServer(random)
    const readers = new Map<ShapeName, Reader>()
    const cached = new Map<ShapeName, Handle>()
    const readable = new Map<number, number>()
    const shapes = mixes[seed % mixes.length] ?? []
    const instance = (shape: ShapeName) => {
      const [group, ...more] = shape === "t" ? [] : plainGroups[shape]
      const slice = group === undefined || more.length > 0 ? {} : { slice: ["grp", String(group)] as const }
      return storeInstance(shape, { table: "cells", tagged: shape === "t", ...slice })
    }

    const handleOf = (shape: ShapeName): Handle => {
      const known = cached.get(shape)
      if (known !== undefined && random.chance(0.5)) return known
      const made = server.serve(shape)
      cached.set(shape, made)
      return made
    }
    const begin = (shape: ShapeName, old: Reader | undefined): Reader => {
      const handle = old === undefined ? handleOf(shape) : server.serve(shape)
      return {
        handle,
        read: 0,
        position: handle.start,
        refetching: old !== undefined,
        view: old?.view ?? new Map(),
        staged: new Map(),
        last: null,
      }
    }
    const unitsOf = (shape: ShapeName, reader: Reader, all: boolean): ReadonlyArray<Unit> => {
      const rest = server.log(shape).slice(reader.position)
      return all ? rest : rest.slice(0, random.below(rest.length + 1))
    }
    const nextShare = (shape: ShapeName, reader: Reader): InstanceCommit => {
      const target = reader.refetching ? reader.staged : reader.view
      const messages = []
      if (reader.read !== null) {
        const to = Math.min(reader.handle.rows.length, reader.read + random.below(4))
        messages.push(...server.snapshot(shape, reader.handle, reader.read, to))
        for (const [id, version] of reader.handle.rows.slice(reader.read, to)) target.set(id, version.seq)
        const ended = to === reader.handle.rows.length && random.chance(0.7)
        reader.read = ended ? null : to
        if (!ended) {
          return shareOf(instance(shape), messages, {
            mode: reader.refetching ? "stage" : "append",
            handle: reader.handle.name,
            offset: `0_${to}`,
            upToDate: false,
          })
        }
        messages.push(snapshotEnd(reader.handle.visibility))
      }
      const units = unitsOf(shape, reader, reader.refetching)
      for (const unit of units) {
        messages.push(...unit.messages(reader.handle.name))
        for (const [id, seq] of unit.effects) {
          if (seq === null) target.delete(id)
          else target.set(id, seq)
        }
      }
      reader.position += units.length
      const share = shareOf(instance(shape), messages, {
        mode: reader.refetching ? "swap" : "append",
        handle: reader.handle.name,
        offset: `${reader.position}_0`,
      })
      if (reader.refetching) {
        reader.view = reader.staged
        reader.staged = new Map()
        reader.refetching = false
      }
      reader.last = share
      return share
    }
    // A row that nobody holds is gone; whoever brings it back, in the same commit even, may bring an older version.
    const forgetGone = (): void => {
      for (const id of [...readable.keys()]) {
        if (![...readers.values()].some(({ view }) => view.has(id))) readable.delete(id)
      }
    }
    const deliver = Effect.fnUntraced(function* (chosen: ReadonlyArray<ShapeName>) {
      const shares = chosen.map((shape) => {
        const known = readers.get(shape)
        const reader =
          known === undefined || (known.read === null && random.chance(0.1)) ? begin(shape, known) : known
        readers.set(shape, reader)
        const share =
          random.chance(0.1) && reader.last !== null && !reader.refetching
            ? reader.last
            : nextShare(shape, reader)
        forgetGone()
        return share
      })
      const { outcomes } = yield* harness.store().commit(shares)
      yield* same(
        "outcomes",
        outcomes.map((outcome) => (outcome._tag === "Rejected" ? outcome.message : "")),
        shares.map(() => ""),
      )
    })
    const crash = Effect.fnUntraced(function* () {
      yield* harness.reopen
      for (const [shape, reader] of readers) if (reader.refetching) readers.set(shape, begin(shape, reader))
    })
    const check = Effect.fnUntraced(function* () {
      const held = new Map<number, Array<Reader>>()
      for (const [shape, reader] of readers) {
        for (const id of reader.view.keys()) held.set(id, [...(held.get(id) ?? []), reader])
        const keys = yield* harness.store().heldKeys(shape)
        yield* same(
          `held by ${shape}`,
          keys.map(([id]) => Number(id)),
          [...reader.view.keys()].sort((left, right) => left - right),
        )
      }
      const rows = yield* harness.rows("cells")
      yield* same(
        "readable rows",
        rows.map(({ id }) => Number(id)),
        [...held.keys()].sort((left, right) => left - right),
      )
      for (const { grp = null, id, v = null, w = null } of rows) {
        const seq = server.identify(Number(id), { grp, v, w })
        yield* same(`row ${id} (${grp}, ${v}, ${w}) is a version that was`, seq !== undefined, true)
        const holders = held.get(Number(id)) ?? []
        const open = holders.some((reader) => reader.read !== null && !reader.refetching)
        const known = Math.max(
          0,
          ...(open
            ? []
            : [readable.get(Number(id)) ?? 0, ...holders.map((reader) => reader.view.get(Number(id)) ?? 0)]),
        )
        yield* same(`row ${id} at ${seq} is no older than ${known}`, (seq ?? 0) >= known, true)
        readable.set(Number(id), seq ?? 0)
      }
      forgetGone()
    })

    for (let step = 0; step < steps; step++) {
      const dice = random.below(20)
      if (dice < 9) server.act()
      else if (dice < 17) {
        // Shapes that overlap the others come later, if they do, so that a table changes under rows it holds.
        const known = step < steps / 2 ? shapes.slice(0, Math.max(2, shapes.length - 2)) : shapes
        const late = shapes.length > 3 ? known : shapes
        yield* deliver(random.shuffle(late).slice(0, 1 + random.below(3)))
      } else if (dice === 17) yield* crash()
      else if (dice === 18 && random.chance(0.5)) {
        const shape = random.pick(shapes)
        yield* harness.store().collect([shape])
        readers.delete(shape)
      }
      yield* check().pipe(
        Effect.mapError((cause) => new Error(`seed ${seed}, step ${step}: ${String(cause)}`, { cause })),
      )
    }
    const caughtUp = (shape: ShapeName): boolean => {
      const reader = readers.get(shape)
      return reader === undefined || (reader.read === null && reader.position === server.log(shape).length)
    }
    for (const shape of shapes) {
      while (!caughtUp(shape)) yield* deliver([shape])
      yield* check().pipe(
        Effect.mapError((cause) => new Error(`seed ${seed}, at the end: ${String(cause)}`, { cause })),
      )
    }
  })

/**
 * A server in miniature for property tests of the local stores: one table, transactions that commit in another order than
 * they began, and five shapes that overlap or are disjoint, one of them with a subquery. It knows the true history of every
 * row, so that a test can say which version a local row is. Its shapes are those of `overlapGraph.ts`.
 */
import type { Message, SnapshotVisibility } from "../../src/protocol/Message.ts"
import { del, insert, moveIn, moveOut, snapshotEnd, update } from "../../src/testing/messages.ts"
import type { Seeded } from "../../src/testing/random.ts"

/** One version of a row. `seq` orders the versions of the whole table. */
export interface Version {
  readonly seq: number
  readonly grp: number
  readonly v: string
  readonly w: string
}

/** What a stretch of a shape's log does to a reader's view: row id → version, or null when the row leaves. */
export type Effects = ReadonlyArray<readonly [id: number, seq: number | null]>

/** A part of a log that an up-to-date may follow. Tags depend on the handle. */
export interface Unit {
  readonly messages: (handle: string) => ReadonlyArray<Message>
  readonly effects: Effects
}

/** A shape as one handle serves it: a snapshot taken when the handle was made, and the log since. */
export interface Handle {
  readonly name: string
  readonly rows: ReadonlyArray<readonly [id: number, version: Version]>
  readonly visibility: SnapshotVisibility
  /** Index in the shape's log of the first unit after the snapshot. */
  readonly start: number
}

export const shapes = ["a", "b", "c", "d", "t"] as const
export type ShapeName = (typeof shapes)[number]

const table = "cells"

/** Groups of the shapes without a subquery: `a` and `b` overlap, `a` contains `c`, and `d` shares nothing with any of them. */
export const plainGroups: Readonly<Record<Exclude<ShapeName, "t">, ReadonlyArray<number>>> = {
  a: [0, 1],
  b: [1, 2],
  c: [0],
  d: [3],
}
const tagOf = (handle: string, grp: number): string => `${handle}-${grp}`
const valuesOf = (id: number, version: Version) => ({
  id: String(id),
  grp: String(version.grp),
  v: version.v,
  w: version.w,
})

export interface OverlapServer {
  /** Some random transaction happens. */
  readonly act: () => void
  readonly log: (shape: ShapeName) => ReadonlyArray<Unit>
  /** A membership comes or goes: a move-in or a move-out of the shape with the subquery, when some row is touched. */
  readonly actGrant: () => void
  /** Some rows change in one transaction. */
  readonly actRows: (count: number) => void
  /** Rows the shape selects now: id → version. */
  readonly rowsOf: (shape: ShapeName) => ReadonlyMap<number, Version>
  /** Makes a handle of a shape as of now. */
  readonly serve: (shape: ShapeName) => Handle
  /** Snapshot messages of some rows of a handle. */
  readonly snapshot: (shape: ShapeName, handle: Handle, from: number, to: number) => ReadonlyArray<Message>
  /** The version of a row with these values, or undefined when there never was one. */
  readonly identify: (
    id: number,
    values: { readonly grp: string | null; readonly v: string | null; readonly w: string | null },
  ) => number | undefined
}

/** A server whose acts are drawn from `random`, on rows with ids from 1 to `ids`; `padding` characters make each value longer. */
export const overlapServer = (random: Seeded, ids = 6, padding = 0): OverlapServer => {
  const pad = "-".repeat(padding)
  const rows = new Map<number, Version>()
  const history = new Map<string, number>()
  const granted = new Set<number>([1])
  const logs: Record<ShapeName, Array<Unit>> = { a: [], b: [], c: [], d: [], t: [] }
  const open: Array<number> = []
  let seq = 0
  let lsn = 100
  let nextTxid = 1_000
  let handles = 0

  const visibility = (): SnapshotVisibility => ({
    xmin: String(Math.min(nextTxid, ...open)),
    xmax: String(nextTxid),
    xip_list: open.map(String),
  })
  const takeTxid = (): number => {
    if (open.length > 0 && random.chance(0.5))
      return open.splice(random.below(open.length), 1)[0] ?? nextTxid++
    return nextTxid++
  }
  const contains = (shape: ShapeName, version: Version | undefined): version is Version =>
    version !== undefined &&
    (shape === "t" ? granted.has(version.grp) : plainGroups[shape].includes(version.grp))

  const changeRow = (txid: number, op: number): void => {
    const id = 1 + random.below(ids)
    const before = rows.get(id)
    const after = before === undefined ? inserted() : random.chance(0.2) ? undefined : changed(before)
    if (after === undefined) rows.delete(id)
    else {
      rows.set(id, after)
      history.set(JSON.stringify([id, String(after.grp), after.v, after.w]), after.seq)
    }
    for (const shape of shapes) appendChange(shape, id, before, after, { lsn, op, txid })
  }
  const inserted = (): Version => ({ seq: ++seq, grp: random.below(4), v: `v${seq}${pad}`, w: `w${seq}` })
  const changed = (before: Version): Version => {
    const next = ++seq
    const both = random.below(3)
    return {
      seq: next,
      grp: random.chance(0.3) ? random.below(4) : before.grp,
      v: both === 0 ? before.v : `v${next}${pad}`,
      w: both === 1 ? before.w : `w${next}`,
    }
  }
  const appendChange = (
    shape: ShapeName,
    id: number,
    before: Version | undefined,
    after: Version | undefined,
    at: { readonly lsn: number; readonly op: number; readonly txid: number },
  ): void => {
    const was = contains(shape, before)
    if (!was && !contains(shape, after)) return
    const tags = (handle: string, version: Version) =>
      shape === "t" ? { tags: [tagOf(handle, version.grp)], activeConditions: [true] } : {}
    const unit = (effect: number | null, message: (handle: string) => Message): void => {
      logs[shape].push({ effects: [[id, effect]], messages: (handle) => [message(handle)] })
    }
    if (!contains(shape, after)) unit(null, () => del(table, { id: String(id) }, at))
    else if (!contains(shape, before))
      unit(after.seq, (handle) => insert(table, valuesOf(id, after), { ...at, ...tags(handle, after) }))
    else {
      const all = valuesOf(id, after)
      const known = valuesOf(id, before)
      const sent = Object.fromEntries(
        Object.entries(all).filter(
          ([name, value]) => name === "id" || value !== known[name as keyof typeof known],
        ),
      )
      unit(after.seq, (handle) => update(table, sent, { ...at, ...tags(handle, after) }))
    }
  }
  const changeGrant = (): void => {
    const grp = random.below(4)
    lsn += 10
    const members = [...rows].filter(([, version]) => version.grp === grp)
    if (granted.delete(grp)) {
      logs.t.push({
        effects: members.map(([id]) => [id, null]),
        messages: (handle) => [moveOut([{ pos: 0, value: tagOf(handle, grp) }])],
      })
      return
    }
    granted.add(grp)
    const seen = visibility()
    // An up-to-date may fall between the event and its rows: two units.
    logs.t.push({ effects: [], messages: (handle) => [moveIn([{ pos: 0, value: tagOf(handle, grp) }])] })
    if (members.length === 0) return
    logs.t.push({
      effects: members.map(([id, version]) => [id, version.seq]),
      messages: (handle) => [
        ...members.map(([id, version]) =>
          insert(table, valuesOf(id, version), {
            tags: [tagOf(handle, grp)],
            activeConditions: [true],
            moveIn: true,
          }),
        ),
        snapshotEnd(seen),
      ],
    })
  }

  const actRows = (count: number): void => {
    lsn += 10
    const txid = takeTxid()
    for (let op = 0; op < count; op++) changeRow(txid, op * 2)
  }
  return {
    act: () => {
      if (random.chance(0.2) && open.length < 3) open.push(nextTxid++)
      else if (random.chance(0.2)) changeGrant()
      else actRows(1 + random.below(3))
    },
    actGrant: changeGrant,
    actRows,
    rowsOf: (shape) => new Map([...rows].filter(([, version]) => contains(shape, version))),
    log: (shape) => logs[shape],
    serve: (shape) => ({
      name: `${shape}-${++handles}`,
      rows: [...rows].filter(([, version]) => contains(shape, version)),
      visibility: visibility(),
      start: logs[shape].length,
    }),
    snapshot: (shape, handle, from, to) =>
      handle.rows
        .slice(from, to)
        .map(([id, version]) =>
          insert(
            table,
            valuesOf(id, version),
            shape === "t" ? { tags: [tagOf(handle.name, version.grp)], activeConditions: [true] } : {},
          ),
        ),
    identify: (id, { grp, v, w }) => history.get(JSON.stringify([id, grp, v, w])),
  }
}

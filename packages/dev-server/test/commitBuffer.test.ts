/** Messages of the replication stream: how bytes become changes, and which transactions a snapshot shows. */
import { assert, describe, it } from "vitest"
import { CommitBuffer, toCaptured } from "../src/capture/CommitBuffer.ts"
import { formatLsn, parseLsn, readMessage } from "../src/capture/pgoutput.ts"
import type { PublishedTable } from "../src/capture/publication.ts"

const int16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
const lsn = (value: number): Buffer =>
  Buffer.concat([int32(Math.floor(value / 2 ** 32)), int32(value % 2 ** 32)])
const zero = (text: string): Buffer => Buffer.from(`${text}\0`)
const tuple = (...fields: ReadonlyArray<string | null | undefined>): Buffer =>
  Buffer.concat([
    int16(fields.length),
    ...fields.map((field) =>
      field === null
        ? Buffer.from("n")
        : field === undefined
          ? Buffer.from("u")
          : Buffer.concat([Buffer.from("t"), int32(Buffer.byteLength(field)), Buffer.from(field)]),
    ),
  ])
const bytes = (tag: string, ...rest: ReadonlyArray<Buffer>): Buffer =>
  Buffer.concat([Buffer.from(tag), ...rest])

const relation = (oid: number, ...columns: ReadonlyArray<string>): Buffer =>
  bytes(
    "R",
    int32(oid),
    zero("public"),
    zero("t"),
    Buffer.from("f"),
    int16(columns.length),
    ...columns.map((name) => Buffer.concat([Buffer.from([1]), zero(name), int32(25), int32(0xffffffff)])),
  )
const begin = (xid: number): Buffer => bytes("B", lsn(0), lsn(0), int32(xid))
const commit = (at: number): Buffer => bytes("C", Buffer.from([0]), lsn(at), lsn(at + 40), lsn(0))
const insert = (oid: number, ...fields: ReadonlyArray<string | null>): Buffer =>
  bytes("I", int32(oid), Buffer.from("N"), tuple(...fields))

const table: PublishedTable = {
  oid: "7",
  columns: ["id", "name"],
  sources: ["7", "8"],
  fingerprint: "",
  isFollowed: true,
  partial: [],
}
const tables = new Map([
  ["7", [table]],
  ["8", [table]],
])

const filled = (...messages: ReadonlyArray<Buffer>): CommitBuffer => {
  const buffer = new CommitBuffer()
  for (const message of messages) buffer.add(readMessage(message))
  return buffer
}

const everything = { xmin: 1_000_000, xmax: 1_000_000, running: new Set<number>() }

describe("The commit buffer", () => {
  it("fills values stored aside from the old row and brings columns into the root's order", () => {
    const update = bytes(
      "U",
      int32(8),
      Buffer.from("O"),
      tuple("lo,ng", "1"),
      Buffer.from("N"),
      tuple(undefined, "2"),
    )
    const buffer = filled(relation(8, "name", "id"), begin(5), update, commit(100))
    const [transaction] = buffer.visible(everything) ?? []
    assert.deepStrictEqual(transaction === undefined ? null : toCaptured(transaction, tables), {
      txid: 5,
      lsn: 100,
      truncated: [],
      changes: [
        { operation: "update", relation: "7", position: 0, oldRow: '("1","lo,ng")', newRow: '("2","lo,ng")' },
      ],
    })
  })

  it("hands a change of a partition to its root and to itself, under one position", () => {
    const both = new Map([["8", [table, { ...table, oid: "8" }]]])
    const buffer = filled(relation(8, "id", "name"), begin(5), insert(8, "1", "a"), commit(100))
    const [transaction] = buffer.visible(everything) ?? []
    assert.isDefined(transaction)
    assert.deepStrictEqual(
      toCaptured(transaction, both).changes.map(({ relation: oid, position }) => [oid, position]),
      [
        ["7", 0],
        ["8", 0],
      ],
    )
  })

  it("counts a table as emptied where the log names no whole old row", () => {
    const remove = bytes("D", int32(7), Buffer.from("K"), tuple("1", null))
    const buffer = filled(relation(7, "id", "name"), begin(5), insert(7, "2", null), remove, commit(100))
    const [transaction] = buffer.visible(everything) ?? []
    assert.deepStrictEqual(transaction === undefined ? null : toCaptured(transaction, tables).truncated, [
      "7",
    ])
  })

  it("shows what a snapshot shows, and keeps the rest until it was taken", () => {
    const buffer = filled(relation(7, "id", "name"), begin(5), insert(7, "1", null), commit(100))
    for (const message of [begin(6), insert(7, "2", null), commit(200)]) buffer.add(readMessage(message))
    const xids = (xmin: number, xmax: number, ...running: ReadonlyArray<number>) =>
      buffer.visible({ xmin, xmax, running: new Set(running) })?.map((transaction) => transaction.xid) ?? null
    assert.deepStrictEqual(xids(5, 5), [])
    assert.deepStrictEqual(xids(6, 6), [5])
    assert.deepStrictEqual(xids(6, 7, 6), [5])
    assert.deepStrictEqual(xids(5, 7, 5), null)
    assert.deepStrictEqual(xids(7, 7), [5, 6])
    buffer.remove(buffer.visible({ xmin: 6, xmax: 6, running: new Set() }) ?? [])
    assert.deepStrictEqual(xids(7, 7), [6])
  })

  it("reads transaction ids across the wrap of their low half", () => {
    const turn = 2 ** 32
    const buffer = filled(relation(7, "id", "name"), begin(0xffffffff), insert(7, "1", null), commit(100))
    const shown = (xmax: number) => buffer.visible({ xmin: xmax, xmax, running: new Set() })?.length
    assert.deepStrictEqual([shown(turn - 1), shown(turn), shown(turn + 9)], [0, 1, 1])
    assert.deepStrictEqual(shown(2 * turn - 1), 0)
  })

  it("takes a transaction that comes again only once", () => {
    const buffer = filled(relation(7, "id", "name"), begin(5), insert(7, "1", null), commit(100))
    for (const message of [begin(5), insert(7, "1", null), commit(100)]) buffer.add(readMessage(message))
    assert.strictEqual(buffer.visible(everything)?.length, 1)
    buffer.skipTo(100)
    assert.isTrue(buffer.isEmpty)
  })

  it("refuses bytes that are no message, and rows of a table that was not described", () => {
    assert.throws(() => readMessage(Buffer.from("?")), /unknown kind/u)
    assert.throws(() => filled(begin(5), insert(9, "1")), /did not describe table 9/u)
  })

  it("reads and prints places in the log", () => {
    assert.strictEqual(parseLsn("16/B374D848"), 0x16b374d848)
    assert.strictEqual(formatLsn(0x16b374d848), "16/B374D848")
  })
})

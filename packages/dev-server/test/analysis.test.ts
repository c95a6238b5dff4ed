/** The pure half of where-clauses: reading, normal form, tags and truth, offsets, record literals, identifiers. */
import { createHash } from "node:crypto"
import { assert, describe, it } from "vitest"
import type { Column } from "../src/db/catalog.ts"
import { parseIdentifier, quoteText, splitOutsideQuotes } from "../src/db/identifier.ts"
import { parseRecord } from "../src/db/recordLiteral.ts"
import { parseQuery } from "../src/http/query.ts"
import { isLoopbackHost } from "../src/http/guard.ts"
import {
  compareOffsets,
  formatOffset,
  nextSynthetic,
  parseOffset,
  snapshotEnd,
} from "../src/shapes/offset.ts"
import { make as makeClock } from "../src/shapes/Clock.ts"
import { ShapeLog } from "../src/shapes/ShapeLog.ts"
import { SnapshotChunks } from "../src/shapes/SnapshotChunks.ts"
import { hashValue, isVisible, tagsOf } from "../src/shapes/tags.ts"
import { ValueSet } from "../src/shapes/ValueSet.ts"
import { type Condition, type NormalForm, normalForm } from "../src/where/conditions.ts"
import type { Subquery } from "../src/where/subquery.ts"
import { readFlags } from "../src/cli/flags.ts"

const column = (name: string): Column => ({
  name,
  type: "integer",
  typeName: "int4",
  castType: "integer",
  typeOid: "23",
  isNullable: true,
  isVirtual: false,
  equalsAsText: true,
  header: { type: "int4" },
})

const subquery = (...left: ReadonlyArray<string>): Subquery => ({
  left: left.map(column),
  sql: `${left.join()} IN (…)`,
  valuesSql: `values of ${left.join()}`,
  dependencies: ["1"],
})

const plain = (sql: string): Condition => ({ kind: "plain", sql })
const inner = (...left: ReadonlyArray<string>): Condition => ({
  kind: "subquery",
  subquery: subquery(...left),
})
const and = (...parts: ReadonlyArray<Condition>): Condition => ({ kind: "and", parts })
const or = (...parts: ReadonlyArray<Condition>): Condition => ({ kind: "or", parts })
const not = (part: Condition): Condition => ({ kind: "not", part })

const shown = (form: NormalForm): ReadonlyArray<ReadonlyArray<string>> =>
  form.disjuncts.map((positions) =>
    positions.map((position) => {
      const literal = form.literals[position]
      if (literal === undefined) return "?"
      const text =
        literal.kind === "plain"
          ? literal.sql
          : `${literal.isNegated ? "not " : ""}${literal.subquery.left.map((c) => c.name).join()}`
      return `${position}:${text}`
    }),
  )

describe("The normal form", () => {
  it("numbers every literal occurrence over all disjuncts", () => {
    assert.deepStrictEqual(shown(normalForm(inner("a"))), [["0:a"]])
    assert.deepStrictEqual(shown(normalForm(or(inner("a"), plain("b")))), [["0:a"], ["1:b"]])
    assert.deepStrictEqual(shown(normalForm(and(inner("a"), plain("b")))), [["0:a", "1:b"]])
    assert.deepStrictEqual(shown(normalForm(and(or(inner("a"), plain("b")), plain("c")))), [
      ["0:a", "1:c"],
      ["2:b", "3:c"],
    ])
  })

  it("pushes NOT down to the literals", () => {
    assert.deepStrictEqual(shown(normalForm(not(or(inner("a"), plain("b"))))), [["0:not a", "1:(NOT b)"]])
    assert.deepStrictEqual(shown(normalForm(not(and(inner("a"), not(plain("b")))))), [["0:not a"], ["1:b"]])
  })

  it("refuses one subquery in both polarities, and more than 100 disjuncts", () => {
    assert.throws(() => normalForm(or(inner("a"), not(inner("a")))), /both positive and negative polarity/u)
    const pair = or(plain("x"), plain("y"))
    assert.throws(
      () => normalForm(and(inner("a"), ...Array.from({ length: 7 }, () => pair))),
      /more than 100 disjuncts/u,
    )
  })
})

describe("Tags", () => {
  const md5 = (text: string): string => createHash("md5").update(text).digest("hex")

  it("hash stack id, handle and value, NULL apart from the text NULL, and the columns of a tuple", () => {
    assert.strictEqual(hashValue("1-2", ["a"], ["7"]), md5("single_stack1-2v:7"))
    assert.strictEqual(hashValue("1-2", ["a"], [null]), md5("single_stack1-2NULL"))
    assert.notStrictEqual(hashValue("1-2", ["a"], [null]), hashValue("1-2", ["a"], ["NULL"]))
    assert.strictEqual(hashValue("1-2", ["a", "b"], ["7", null]), md5("single_stack1-2a:v:7b:NULL"))
  })

  it("have a slot per position: the hash, 1 for a plain predicate, empty outside the disjunct", () => {
    const form = normalForm(or(and(inner("a"), plain("p")), plain("q")))
    const hash = hashValue("h", ["a"], ["7"])
    assert.deepStrictEqual(tagsOf(form, "h", { truths: [], left: [["7"], null, null] }), [
      `${hash}/1/`,
      "//1",
    ])
    assert.isTrue(isVisible(form, [true, true, false]))
    assert.isTrue(isVisible(form, [false, true, true]))
    assert.isFalse(isVisible(form, [true, false, false]))
  })
})

describe("A set of inner values", () => {
  it("is three-valued as Postgres is", () => {
    const set = new ValueSet([["1"], ["2"]])
    assert.deepStrictEqual([set.isIn(["1"]), set.isIn(["3"]), set.isIn([null])], [true, false, false])
    assert.deepStrictEqual(
      [set.isNotIn(["1"]), set.isNotIn(["3"]), set.isNotIn([null])],
      [false, true, false],
    )
    const withNull = new ValueSet([["1"], [null]])
    assert.deepStrictEqual(
      [withNull.isIn(["1"]), withNull.isNotIn(["1"]), withNull.isNotIn(["3"])],
      [true, false, false],
    )
    assert.isTrue(new ValueSet([]).isNotIn([null]))
    const tuples = new ValueSet([["1", null]])
    assert.deepStrictEqual(
      [tuples.isNotIn(["2", "5"]), tuples.isNotIn(["1", "5"]), tuples.isIn(["1", null])],
      [true, false, false],
    )
  })

  it("tells a text apart from the JSON of a row", () => {
    const set = new ValueSet([["[null]"], [null]])
    assert.strictEqual(set.size, 2)
    assert.deepStrictEqual(set.minus(new ValueSet([[null]])), [["[null]"]])
  })
})

describe("Offsets", () => {
  it("are read as Electric reads them", () => {
    for (const bad of [
      "abc",
      "10",
      "1_2_3",
      "0_-1",
      "1_2 ",
      " 0_0",
      "-2",
      "_",
      "0_",
      "1.0_0",
      "inf",
      "0_infx",
      "NOW",
    ]) {
      assert.isNull(parseOffset(bad), bad)
    }
    assert.deepStrictEqual(parseOffset("0_02"), { tx: 0, op: 2 })
    assert.deepStrictEqual(parseOffset("0_inf"), snapshotEnd)
    assert.deepStrictEqual([parseOffset("-1"), parseOffset("now")], [{ tx: -1, op: 0 }, "now"])
  })

  it("compare pair by pair and are spelled back", () => {
    const offsets = ["-1", "0_0", "0_10", "0_inf", "1_0", "1_2", "1795364018918000_5"].map((text) =>
      parseOffset(text),
    )
    for (let i = 1; i < offsets.length; i += 1) {
      const [a, b] = [offsets[i - 1], offsets[i]]
      if (a === null || b === null || a === "now" || b === "now" || a === undefined || b === undefined)
        throw new Error("unread")
      assert.isBelow(compareOffsets(a, b), 0)
      assert.strictEqual(compareOffsets(b, b), 0)
      assert.deepStrictEqual(parseOffset(formatOffset(b)), b)
    }
    assert.deepStrictEqual(
      [nextSynthetic(snapshotEnd), nextSynthetic({ tx: 7, op: 4 })],
      [
        { tx: 1, op: 0 },
        { tx: 7, op: 5 },
      ],
    )
  })

  it("come from a clock that never repeats, even when it is set back", () => {
    let now = 1000
    const clock = makeClock(() => now)
    const first = clock.next()
    now = 10
    const second = clock.next()
    clock.advanceTo(second + 1_000_000_000)
    assert.isAbove(second, first)
    assert.isAbove(clock.next(), second + 1_000_000_000)
  })
})

describe("A shape's log", () => {
  const entry = (tx: number, op: number) => ({ offset: { tx, op }, json: JSON.stringify({ tx, op }) })

  it("serves what lies behind an offset, up to a chunk end", () => {
    const log = new ShapeLog(30)
    assert.deepStrictEqual(log.after({ tx: 0, op: 1 }), { messages: [], offset: snapshotEnd, isEnd: true })
    log.append([entry(5, 0), entry(5, 2), entry(6, 0)])
    const first = log.after({ tx: 0, op: 9 })
    assert.deepStrictEqual([first.messages.length, first.offset, first.isEnd], [2, { tx: 5, op: 2 }, false])
    assert.deepStrictEqual(log.after({ tx: 5, op: 2 }), {
      messages: [entry(6, 0).json],
      offset: { tx: 6, op: 0 },
      isEnd: true,
    })
    assert.deepStrictEqual(log.after({ tx: 6, op: 0 }), {
      messages: [],
      offset: { tx: 6, op: 0 },
      isEnd: true,
    })
  })
})

describe("A shape's snapshot", () => {
  const noFiles = {
    write: () => Promise.reject(new Error("nothing should be written")),
    read: () => Promise.reject(new Error("nothing should be read")),
    remove: () => Promise.resolve(),
  }

  const cut = async (...rows: ReadonlyArray<string>) => {
    const snapshot = new SnapshotChunks(10, noFiles)
    await snapshot.add(rows)
    await snapshot.complete('"end"')
    return snapshot.stored
  }

  it("is cut where a row reaches the threshold", async () => {
    assert.deepStrictEqual(await cut('"aaaa"', '"bbbb"', '"c"'), {
      chunks: [
        ['"aaaa"', '"bbbb"'],
        ['"c"', '"end"'],
      ],
    })
  })

  it("is closed in a chunk of its own when the rows end on a chunk boundary", async () => {
    assert.deepStrictEqual(await cut('"aaaa"', '"bbbb"'), { chunks: [['"aaaa"', '"bbbb"'], ['"end"']] })
    assert.deepStrictEqual(await cut(), { chunks: [['"end"']] })
  })

  it("moves to files as a whole when it grows too large for memory", async () => {
    const files = new Map<number, string>()
    const snapshot = new SnapshotChunks(400_000, {
      write: async (index, body) => void files.set(index, body),
      read: async (index) => Buffer.from(files.get(index) ?? ""),
      remove: async () => files.clear(),
    })
    const rows = Array.from({ length: 12 }, (_, index) => JSON.stringify(`${index}`.padEnd(100_000)))
    await snapshot.add(rows.slice(0, 8))
    assert.deepStrictEqual([files.size, snapshot.closedCount], [0, 2])
    await snapshot.add(rows.slice(8))
    await snapshot.complete('"end"')
    assert.deepStrictEqual(
      [snapshot.stored, snapshot.memoryBytes, [...files.keys()]],
      [{ files: 4 }, 0, [0, 1, 2, 3]],
    )
    const bodies = await Promise.all([0, 1, 2, 3].map((index) => snapshot.body(index)))
    const told = bodies.flatMap((body) => JSON.parse(Buffer.from(body).toString()) as ReadonlyArray<string>)
    assert.deepStrictEqual(
      told.map((row) => row.trim()),
      [...rows.map((_, index) => `${index}`), "end"],
    )
    await snapshot.discard()
    assert.strictEqual(files.size, 0)
  })
})

describe("Texts from outside", () => {
  it("give the fields of a row literal", () => {
    assert.deepStrictEqual(parseRecord('(1,t,"a ""q"" \\\\ , (x)",,"")'), [
      "1",
      "t",
      'a "q" \\ , (x)',
      null,
      "",
    ])
    assert.deepStrictEqual(
      [parseRecord("()"), parseRecord("(,)"), parseRecord('("")')],
      [[null], [null, null], [""]],
    )
    assert.deepStrictEqual(parseRecord('("(1,""x"")","{""a"": 1}","{a,""b c""}")'), [
      '(1,"x")',
      '{"a": 1}',
      '{a,"b c"}',
    ])
  })

  it("are identifiers with Electric's words for bad ones", () => {
    assert.deepStrictEqual(parseIdentifier("AbC"), { name: "abc" })
    assert.deepStrictEqual(parseIdentifier('"A""b"'), { name: 'A"b' })
    assert.deepStrictEqual(parseIdentifier(""), { error: "Invalid zero-length delimited identifier" })
    assert.deepStrictEqual(parseIdentifier('"a"b"'), {
      error: 'Invalid identifier with unescaped quote: a"b',
    })
    assert.deepStrictEqual(parseIdentifier("a b"), {
      error: "Invalid unquoted identifier contains special characters: a b",
    })
    assert.deepStrictEqual(parseIdentifier("a".repeat(64)), {
      error: "Identifier is too long (max length is 63)",
    })
    assert.deepStrictEqual(splitOutsideQuotes('"a,b",c', ","), ['"a,b"', "c"])
    assert.strictEqual(quoteText("it's \\ here"), " E'it''s \\\\ here'")
  })

  it("are queries in which the last of a repeated name wins and brackets make maps", () => {
    const query = parseQuery("a=1&a=2&params[1]=x&params%5B2%5D=y&b")
    assert.deepStrictEqual(
      [query.get("a"), query.get("b"), query.get("params")],
      [
        "2",
        "",
        new Map([
          ["1", "x"],
          ["2", "y"],
        ]),
      ],
    )
  })

  it("are Host headers, loopback or not", () => {
    for (const host of ["localhost", "LOCALHOST:30000", "127.0.0.1:1", "127.1.2.3", "[::1]:80"])
      assert.isTrue(isLoopbackHost(host), host)
    for (const host of [
      undefined,
      "",
      "evil.example",
      "localhost.evil.example",
      "127.0.0.1.evil",
      "10.0.0.1",
    ])
      assert.isFalse(isLoopbackHost(host))
  })

  it("are command lines, read or refused in one sentence", () => {
    const read = readFlags(["--port=0", "--seed", "a", "--seed", "b", "--json"], { ESPALIER_SQL_TOKEN: "t" })
    assert.deepInclude(read.flags, { port: 0, seeds: ["a", "b"], isJson: true, sqlToken: "t", dataDir: null })
    assert.match(String(readFlags(["--port"], {}).problem), /--port needs a value/u)
    assert.match(String(readFlags(["--port", "-1"], {}).problem), /whole number/u)
    assert.match(String(readFlags(["extra"], {}).problem), /Unknown option extra/u)
  })
})

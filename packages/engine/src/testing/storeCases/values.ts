/**
 * Promises of the store about values: every value a server can send comes out as it went in, and what is no value is refused by
 * name (design §5.9, §5.10). Each on the ways a value can take: in a few rows, in a snapshot of many, in an update. Part of
 * `localStoreContract.ts`.
 */
import * as Effect from "effect/Effect"
import { type KitCases, same, shareOf, storeInstance } from "../localStoreKit.ts"
import { insert, snapshotEnd, update } from "../messages.ts"

const things = storeInstance("things", { table: "things" })
const other = storeInstance("other", { table: "things" })
const seen = snapshotEnd({ xmin: "100", xmax: "100" })

/** A snapshot of so many rows is written in another way than a few rows. */
const manyRows = 80
const megabyte = 1_048_576

/** Values by column, as Postgres spells them. */
const values: Readonly<Record<string, ReadonlyArray<string>>> = {
  small: ["-32768", "32767"],
  large: ["-9223372036854775808", "9223372036854775807"],
  real: ["NaN", "Infinity", "-Infinity", "-0", "3.4028235e+38", "1e-45", "0.1"],
  double: ["NaN", "Infinity", "-Infinity", "-0", "1.7976931348623157e+308", "5e-324", "0.30000000000000004"],
  amount: [
    "NaN",
    "Infinity",
    "-Infinity",
    "0",
    "1.50",
    "1.5",
    `${"9".repeat(300)}.${"1".repeat(200)}`,
    "0.00001",
  ],
  word: [
    "\\N",
    "",
    "NULL",
    "{}",
    '(1,"a ""b"" c")',
    "sad",
    "it''s \"quoted\" \\ back",
    "tab\tnew\nline\r\f",
    "e\u0301 is not \u00e9",
    "\ud83d\udca7\u{10ffff}",
    "\u0001\u007f\u00a0\u2028\ufeff",
  ],
  short: ["\\.", " leading and trailing "],
  bytes: ["\\x", "\\x00", "\\x00ff5c78"],
  day: [
    "infinity",
    "-infinity",
    "0044-03-15 BC",
    "4713-01-01 BC",
    "0001-01-01",
    "5874897-12-31",
    "2000-02-29",
  ],
  clock: ["00:00:00", "24:00:00", "12:34:56.789012"],
  local: [
    "infinity",
    "-infinity",
    "0044-03-15 12:00:00 BC",
    "294276-12-31 23:59:59.999999",
    "1969-12-31 23:59:59.5",
  ],
  at: [
    "infinity",
    "-infinity",
    "0044-03-15 12:00:00+00 BC",
    "294276-12-31 23:59:59.999999+00",
    "2000-01-01 00:00:00+00",
  ],
  span: ["00:00:00", "1 year 2 mons -3 days +04:05:06.789", "-00:00:00.000001", "178000000 years"],
  uid: ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
  flag: ["true", "false"],
  doc: ['{"b":1,"a":2,  "b":3}', '"\\u0000"', "[1.0, 1.00, 1e400]", "null"],
  docb: ['{"a": [1.0, 1.00, {"b": null}]}', '"\\\\u0000"', "null", `${"9".repeat(60)}`],
  words: ["{}", '{NULL,"NULL","","a\\"b","c\\\\d"," e ","{f,g}"}', "{{a,b},{c,NULL}}", "[0:1]={a,b}"],
  numbers: ["{}", "{1,NULL,-2147483648}", "{{1,2},{3,4}}", "[-1:0]={5,6}"],
  amounts: ["{NaN,1.50,NULL,Infinity}"],
  flags: ["{t,f,NULL}"],
  days: ['{"0044-03-15 BC",infinity,2000-02-29,NULL}'],
}

/** What is no value of the column's type. */
const nonsense: Readonly<Record<string, ReadonlyArray<string>>> = {
  id: ["x", "", "1.5", "2147483648"],
  small: ["32768", "one"],
  large: ["9223372036854775808", "0b"],
  real: ["real", ""],
  double: ["1.2.3", "double"],
  amount: ["abc", "1,5", ""],
  word: ["nul\u0000nul", "half \ud800", "\udc00 half"],
  short: ["\u0000"],
  bytes: ["\\x0", "\\xzz"],
  day: ["tuesday", ""],
  clock: ["noon"],
  local: ["later"],
  at: ["soon", ""],
  span: ["a while"],
  uid: ["00000000-0000-0000-0000-00000000000", "g0000000-0000-0000-0000-000000000000"],
  flag: ["maybe", "2"],
  doc: ["{", "", "{'a':1}"],
  docb: ["{", '"\\u0000"', "[1,]"],
  words: ["a,b", "{nul\u0000}", ""],
  numbers: ["1,2", "{"],
  amounts: ["1.5"],
  flags: ["t"],
  days: ["2000-01-01"],
}

const columns = Object.keys(values)
const most = Math.max(...Object.values(values).map(({ length }) => length))

/** Row `index`: of each column the value at that place, over and over. */
const row = (index: number): Readonly<Record<string, string>> =>
  Object.fromEntries(
    columns.map((column) => [column, values[column]?.[index % (values[column]?.length ?? 1)] ?? ""]),
  )
const withId = (id: number, rest: Readonly<Record<string, string | null>>) => ({ id: String(id), ...rest })

const nulls = Object.fromEntries(columns.map((column) => [column, null]))

export const valueCases: KitCases = [
  [
    "keeps every value of every type exactly, in a few rows, in a snapshot of many, and in an update",
    Effect.fnUntraced(function* ({ commit, harness, shows }) {
      const expected = (count: number) =>
        Array.from({ length: count }, (_, index) => columns.map((column) => row(index)[column]).join("|"))
      const few = Array.from({ length: most }, (_, index) =>
        insert("things", withId(100 + index, row(index))),
      )
      yield* commit(shareOf(things, [...few, seen]))
      yield* shows("things", columns, expected(most))
      yield* harness.store().collect(["things"])

      const many = Array.from({ length: manyRows }, (_, index) =>
        insert("things", withId(100 + index, row(index))),
      )
      yield* commit(shareOf(things, [...many, seen]))
      yield* shows("things", columns, expected(manyRows))
      yield* harness.store().collect(["things"])

      const empty = Array.from({ length: most }, (_, index) => insert("things", withId(100 + index, nulls)))
      yield* commit(shareOf(things, [...empty, seen]))
      const updates = Array.from({ length: most }, (_, index) =>
        update("things", withId(100 + index, row(index)), { lsn: 5, op: index }),
      )
      yield* commit(shareOf(things, updates))
      yield* shows("things", columns, expected(most))
      yield* commit(shareOf(things, [update("things", withId(100, nulls), { lsn: 6 })]))
      yield* shows("things", columns, [columns.map(() => "∅").join("|"), ...expected(most).slice(1)])
    }),
  ],
  [
    "refuses what is no value of its column, by name, in a few rows, in a snapshot of many, and in an update",
    Effect.fnUntraced(function* ({ outcomes, shows, commit, harness }) {
      const good = Array.from({ length: manyRows }, (_, index) =>
        insert("things", withId(100 + index, row(index))),
      )
      const refused = Effect.fnUntraced(function* (what: string, share: ReturnType<typeof shareOf>) {
        const [bad, fine] = yield* outcomes(
          share,
          shareOf(other, [insert("things", withId(1, { word: "kept" }))]),
        )
        yield* same(
          what,
          [bad?._tag === "Rejected" ? `${bad.table} ${bad.kind}` : "taken", fine?._tag],
          ["things row", "Committed"],
        )
        yield* same(`${what} has a message`, bad?._tag === "Rejected" && bad.message.length > 10, true)
      })
      for (const [column, texts] of Object.entries(nonsense)) {
        for (const text of texts) {
          const what = `${column} ${JSON.stringify(text)}`
          const bad = insert("things", withId(7, { ...row(0), [column]: text }))
          yield* refused(what, shareOf(things, [insert("things", withId(8, row(0))), bad]))
          yield* refused(`${what} among many`, shareOf(things, [...good, bad, seen]))
          if (column === "id") continue
          yield* commit(shareOf(things, [insert("things", withId(7, row(0))), seen]))
          yield* refused(
            `${what} in an update`,
            shareOf(things, [update("things", withId(7, { [column]: text }), { lsn: 5 })], { offset: "2_0" }),
          )
          yield* harness.store().collect(["things"])
        }
      }
      yield* shows("things", ["id", "word"], ["1|kept"])
    }),
  ],
  [
    "takes values of 20 MB, alone and among many rows",
    Effect.fnUntraced(function* ({ commit, harness }) {
      const word = "wörd ".repeat((20 * megabyte) / 6)
      const docb = JSON.stringify({ text: "x".repeat(megabyte) }).replace(":", ": ")
      const bytes = `\\x${"00ff".repeat(megabyte)}`
      const big = { ...nulls, word, docb, bytes }
      const isBig = Effect.fnUntraced(function* (id: string) {
        const rows = yield* harness.rows("things")
        const found = rows.find((one) => one["id"] === id)
        yield* same(
          "lengths",
          [found?.["word"]?.length, found?.["docb"]?.length, found?.["bytes"]?.length],
          [word.length, docb.length, bytes.length],
        )
        yield* same(
          "texts",
          found?.["word"] === word && found["docb"] === docb && found["bytes"] === bytes,
          true,
        )
      })
      yield* commit(shareOf(things, [insert("things", withId(1, big)), seen]))
      yield* isBig("1")
      yield* harness.store().collect(["things"])
      const many = Array.from({ length: manyRows }, (_, index) =>
        insert("things", withId(100 + index, nulls)),
      )
      yield* commit(shareOf(things, [...many, insert("things", withId(2, big)), seen]))
      yield* isBig("2")
      yield* commit(shareOf(things, [update("things", withId(100, { small: "7" }), { lsn: 5 })]))
      yield* isBig("2")
    }),
  ],
]

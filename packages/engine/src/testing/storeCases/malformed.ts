/**
 * Promises of the store about batches that are not as they should be: keys twice or missing, columns nobody knows, positions that
 * are none, tables the graph does not have (design §5.10). Part of `localStoreContract.ts`.
 */
import * as Effect from "effect/Effect"
import { type KitCases, same, shareOf, storeInstance } from "../localStoreKit.ts"
import { del, insert, snapshotEnd, update } from "../messages.ts"

const things = storeInstance("things", { table: "things" })
const other = storeInstance("other", { table: "things" })
const seen = snapshotEnd({ xmin: "100", xmax: "100" })

/** A snapshot of so many rows is written in another way than a few rows. */
const manyRows = 80
const withId = (id: number, rest: Readonly<Record<string, string | null>>) => ({ id: String(id), ...rest })

export const malformedCases: KitCases = [
  [
    "takes a key that comes twice in one batch for one row, the last word counting",
    Effect.fnUntraced(function* ({ commit, holds, shows, stored }) {
      const many = Array.from({ length: manyRows }, (_, index) =>
        insert("things", withId(100 + index, { word: "first" })),
      )
      const twice = [
        insert("things", withId(100, { word: "again" })),
        insert("things", { id: "+0100", word: "last" }),
      ]
      yield* commit(shareOf(things, [...many, ...twice, seen]))
      yield* same("rows", (yield* stored("things"))?.rows, manyRows)
      yield* commit(
        shareOf(things, [
          ...Array.from({ length: manyRows - 1 }, (_, index) =>
            del("things", { id: String(101 + index) }, { lsn: 5, op: index }),
          ),
          del("things", { id: "101" }, { lsn: 6 }),
        ]),
      )
      yield* shows("things", ["id", "word"], ["100|last"])
      yield* holds("things", ["100"])
    }),
  ],
  [
    "refuses a row whose key is missing or NULL, in every operation",
    Effect.fnUntraced(function* ({ outcomes, stored }) {
      for (const row of [{ word: "no key" }, { id: null, word: "NULL key" }]) {
        for (const message of [
          insert("things", row),
          update("things", row, { lsn: 5 }),
          del("things", row, { lsn: 5 }),
        ]) {
          const [outcome] = yield* outcomes(shareOf(things, [insert("things", withId(1, {})), message]))
          yield* same(
            message.headers.operation,
            outcome?._tag === "Rejected"
              ? [outcome.kind, /key column id is (NULL|missing)/.test(outcome.message)]
              : "taken",
            ["row", true],
          )
        }
      }
      yield* same("instance", yield* stored("things"), undefined)
    }),
  ],
  [
    "passes over columns it does not know, also where there is nothing else",
    Effect.fnUntraced(function* ({ commit, shows }) {
      const known = Array.from({ length: manyRows }, (_, index) =>
        insert("things", withId(100 + index, { unknown: "x", 'od"d': null, constructor: "y" })),
      )
      yield* commit(shareOf(things, [...known, seen]))
      yield* commit(shareOf(things, [update("things", withId(100, { unknown: "z" }), { lsn: 5 })]))
      yield* commit(shareOf(things, [del("things", { id: "101", unknown: "z" }, { lsn: 6 })]))
      yield* shows(
        "things",
        ["id", "word"],
        known.flatMap((_, index) => (index === 1 ? [] : [`${100 + index}|∅`])),
      )
    }),
  ],
  [
    "refuses a change without a valid position, and a table the graph does not have",
    Effect.fnUntraced(function* ({ outcomes, stored }) {
      const nowhere = storeInstance("nowhere", { table: "nowhere" })
      const result = yield* outcomes(
        shareOf(things, [insert("things", withId(1, {}), { lsn: "0/16B3748" })]),
        shareOf(nowhere, [insert("nowhere", { id: "1" })]),
        shareOf(other, [insert("things", withId(1, {}), { lsn: "12" })]),
      )
      yield* same(
        "outcomes",
        result.map((outcome) =>
          outcome._tag === "Rejected" ? `${outcome.table} ${outcome.kind}` : outcome._tag,
        ),
        ["things row", "nowhere row", "Committed"],
      )
      yield* same("instance", yield* stored("things"), undefined)
    }),
  ],
]

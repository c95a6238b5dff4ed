/**
 * Promises of the store about subquery shapes: moves are applied from persisted tags (design §5.7). Part of
 * `localStoreContract.ts`.
 */
import * as Effect from "effect/Effect"
import { type KitCases, same, shareOf, storeInstance } from "../localStoreKit.ts"
import { insert, moveIn, moveOut, snapshotEnd, update } from "../messages.ts"

const one = storeInstance("one")
const seen = snapshotEnd({ xmin: "100", xmax: "100" })
const item = (id: number, name: string | null = null) => ({ id: String(id), name })

const tagged = storeInstance("tagged", { tagged: true })
const inside = (
  id: number,
  tags: ReadonlyArray<string>,
  activeConditions?: ReadonlyArray<boolean>,
  lsn?: number,
) =>
  insert("items", item(id, `r${id}`), {
    tags,
    ...(activeConditions && { activeConditions }),
    ...(lsn && { lsn }),
  })

export const tagCases: KitCases = [
  [
    "applies a move-out from persisted tags, also after a restart",
    Effect.fnUntraced(function* ({ commit, harness, shows }) {
      yield* commit(
        shareOf(tagged, [inside(1, ["aa"], [true]), inside(2, ["bb"], [true]), seen]),
        shareOf(one, [insert("items", item(1, "r1")), seen]),
      )
      yield* harness.reopen
      yield* commit(
        shareOf(tagged, [
          moveOut([
            { pos: 0, value: "aa" },
            { pos: 0, value: "bb" },
          ]),
        ]),
      )
      yield* shows("items", ["id"], ["1"])
      yield* same("holders", yield* harness.store().holders("items", ["1"]), ["one"])
    }),
  ],
  [
    "keeps a row while one of its disjuncts holds, and lets it go with the last",
    Effect.fnUntraced(function* ({ commit, holds }) {
      yield* commit(
        shareOf(tagged, [
          inside(1, ["aa/", "/1"], [true, true]),
          inside(2, ["aa/", "/1"], [true, false]),
          inside(3, ["cc/1"], [true, true]),
          seen,
        ]),
      )
      yield* commit(shareOf(tagged, [moveOut([{ pos: 0, value: "aa" }])]))
      yield* holds("tagged", ["1", "3"])
      yield* commit(shareOf(tagged, [moveOut([{ pos: 1, value: "1" }])]))
      yield* holds("tagged", [])
    }),
  ],
  [
    "flips a condition back with a move-in, and takes the rows that follow as upserts",
    Effect.fnUntraced(function* ({ commit, holds }) {
      yield* commit(shareOf(tagged, [inside(1, ["aa/", "/bb"], [false, true]), seen]))
      yield* commit(
        shareOf(tagged, [
          moveIn([{ pos: 0, value: "aa" }]),
          insert("items", item(1, "r1"), {
            tags: ["aa/", "/bb"],
            activeConditions: [true, true],
            moveIn: true,
          }),
          insert("items", item(2, "r2"), {
            tags: ["aa/", "/bb"],
            activeConditions: [true, false],
            moveIn: true,
          }),
          snapshotEnd({ xmin: "200", xmax: "200" }),
        ]),
      )
      yield* commit(shareOf(tagged, [moveIn([{ pos: 1, value: "bb" }]), moveOut([{ pos: 0, value: "aa" }])]))
      yield* holds("tagged", ["1", "2"])
      yield* commit(shareOf(tagged, [moveOut([{ pos: 1, value: "bb" }])]))
      yield* holds("tagged", [])
    }),
  ],
  [
    "reads the events of a share in log order, with the tags as they are at that point",
    Effect.fnUntraced(function* ({ commit, holds }) {
      yield* commit(shareOf(tagged, [inside(1, ["aa"]), inside(2, ["aa"]), seen]))
      yield* commit(
        shareOf(tagged, [
          update(
            "items",
            { id: "1" },
            { lsn: 5, tags: ["bb"], removedTags: ["aa"], activeConditions: [true] },
          ),
          inside(3, ["aa"], [true], 6),
          moveOut([{ pos: 0, value: "aa" }]),
          inside(4, ["aa"], [true], 7),
        ]),
      )
      yield* holds("tagged", ["1", "4"])
      yield* commit(shareOf(tagged, [moveOut([{ pos: 0, value: "bb" }])]))
      yield* holds("tagged", ["4"])
    }),
  ],
  [
    "never resumes a tagged instance whose rows came without tags",
    Effect.fnUntraced(function* ({ commit, harness, outcomes, shows, stored }) {
      yield* commit(shareOf(tagged, [insert("items", item(1, "r1")), seen]))
      yield* same("checkpoint", (yield* stored("tagged"))?.checkpoint, null)
      const result = yield* outcomes(shareOf(tagged, [moveOut([{ pos: 0, value: "aa" }])]))
      yield* same(
        "outcome",
        result.map((outcome) => (outcome._tag === "Rejected" ? outcome.kind : "")),
        ["unknown-row"],
      )
      yield* harness.reopen
      yield* commit(shareOf(tagged, [inside(2, ["aa"]), seen]))
      yield* shows("items", ["id"], ["2"])
      yield* same("checkpoint after the refetch", (yield* stored("tagged"))?.checkpoint?.handle, "h1")
    }),
  ],
]

/** Packed rows on PGlite: several instances in one COPY, and what happens when a row of it is not new, not plain or not theirs. */
import type { PGlite } from "@electric-sql/pglite"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { PgliteLocalStore } from "../../src/adapters/pglite/index.ts"
import { Graph } from "../../src/graph/index.ts"
import { shareOf, storeInstance, storeKit } from "../../src/testing/localStoreKit.ts"
import { insert, snapshotEnd } from "../../src/testing/messages.ts"
import { harnessOn, openPglite, packShare } from "./pgliteHarness.ts"

const graph = Graph.make({
  name: "packed",
  tables: { items: { columns: { id: "int4", name: "text?", data: "jsonb?" } } },
  nodes: { items: { table: "items", key: "items" } },
})
const row = (id: string, name: string | null) => ({ id, name, data: `{"quoted": "\\"${id}"}` })
const named = (name: string) => storeInstance(name, { slice: ["name", name] })
const snapshot = (name: string, ids: ReadonlyArray<string>, rowName: string | null = name) =>
  packShare(shareOf(named(name), [...ids.map((id) => insert("items", row(id, rowName))), snapshotEnd()]))

/** Calls into the database that carry a COPY. */
const countingCopies = (pglite: PGlite) => {
  const count = { copies: 0 }
  const counted = new Proxy(pglite, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== "function") return value
      return (...args: ReadonlyArray<unknown>): unknown => {
        const [message] = args
        if (name === "execProtocol" && message instanceof Uint8Array)
          count.copies += new TextDecoder().decode(message).split('copy "items"').length - 1
        return Reflect.apply(value, target, args)
      }
    },
  })
  return { counted, count }
}

describe("packed rows on PGlite", () => {
  let pglite: PGlite
  beforeAll(async () => {
    pglite = await openPglite()
  })
  afterAll(() => pglite.close())

  it.live("of several instances go into their table by one COPY, in one commit", () =>
    Effect.gen(function* () {
      const harness = yield* harnessOn(pglite, graph)
      const { count, counted } = countingCopies(pglite)
      const store = yield* PgliteLocalStore.make({ pglite: counted, graph })
      const { outcomes } = yield* store.commit([
        snapshot("a", ["1", "2"]),
        snapshot("b", ["3"]),
        snapshot("c", ["4"]),
      ])
      assert.deepStrictEqual(
        outcomes.map((outcome) =>
          outcome._tag === "Committed" ? [outcome.key, outcome.rows] : outcome.kind,
        ),
        [
          ["a", 2],
          ["b", 1],
          ["c", 1],
        ],
      )
      assert.strictEqual(count.copies, 1)
      const kit = storeKit(harness)
      yield* kit.shows("items", ["id", "name"], ["1|a", "2|a", "3|b", "4|c"])
      yield* harness.reopen
      yield* kit.holds("a", ["1", "2"])
      yield* kit.holds("c", ["4"])
    }),
  )

  it.live("that are there already, twice in one body, or another instance's, end as messages would", () =>
    Effect.gen(function* () {
      for (const packed of [false, true]) {
        const kit = storeKit(yield* harnessOn(pglite, graph, { packed }))
        yield* Effect.tryPromise(() =>
          pglite.query("insert into items (id, name) values ($1, 'written by the app')", ["9"]),
        )
        yield* kit.commit(snapshot("a", ["1", "1", "2"]), snapshot("b", ["3", "9"]))
        yield* kit.commit(snapshot("c", ["4"], "a"))
        yield* kit.shows("items", ["id", "name"], ["1|a", "2|a", "3|b", "4|a", "9|b"])
        yield* kit.holds("a", ["1", "2"])
        yield* kit.holds("b", ["3", "9"])
        yield* kit.holds("c", ["4"])
      }
    }),
  )

  it.live("of an instance that makes its table explicit leave the rows copied before it with entries", () =>
    Effect.gen(function* () {
      const kit = storeKit(yield* harnessOn(pglite, graph))
      const whole = packShare(
        shareOf(storeInstance("whole"), [insert("items", row("1", "a")), snapshotEnd()]),
      )
      yield* kit.commit(snapshot("a", ["1", "2"]), whole)
      yield* kit.holds("a", ["1", "2"])
      yield* kit.holds("whole", ["1"])
      yield* kit.harness.store().collect(["a"])
      yield* kit.shows("items", ["id"], ["1"])
    }),
  )

  it.live("that Postgres refuses reject their own share and no other", () =>
    Effect.gen(function* () {
      const kit = storeKit(yield* harnessOn(pglite, graph))
      const bad = packShare(
        shareOf(named("bad"), [insert("items", { ...row("5", "bad"), name: "bad\u0000" }), snapshotEnd()]),
      )
      const outcomes = yield* kit.outcomes(snapshot("a", ["1"]), bad, snapshot("b", ["2"]))
      assert.deepStrictEqual(
        outcomes.map(({ _tag }) => _tag),
        ["Committed", "Rejected", "Committed"],
      )
      yield* kit.shows("items", ["id"], ["1", "2"])
    }),
  )
})

/**
 * Every scalar type's values reach Postgres as they would by text: the same random values through the binary encoders (arrays and COPY)
 * and through plain text parameters give identical tables. `ENGINE_SEED` and `ENGINE_RUNS` choose the seeds.
 */
import type { PGlite } from "@electric-sql/pglite"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { PgliteLocalStore } from "../../src/adapters/pglite/index.ts"
import { Graph } from "../../src/graph/index.ts"
import type { ColumnInput } from "../../src/graph/index.ts"
import { shareOf, storeInstance } from "../../src/testing/localStoreKit.ts"
import { insert, snapshotEnd, update } from "../../src/testing/messages.ts"
import { type Seeded, seeded } from "../../src/testing/random.ts"
import { openPglite, packShare, rowsOf } from "./pgliteHarness.ts"

const first = Number(process.env["ENGINE_SEED"] ?? 1)
const runs = Math.ceil(Number(process.env["ENGINE_RUNS"] ?? 400) / 40)

type Make = (random: Seeded) => string

const digits = (random: Seeded, length: number): string =>
  Array.from({ length }, () => random.below(10)).join("")
const two = (value: number): string => String(value).padStart(2, "0")
const dateOf = (random: Seeded): string =>
  `${String(1 + random.below(9999)).padStart(4, "0")}-${two(1 + random.below(12))}-${two(1 + random.below(28))}`
const timeOf = (random: Seeded): string =>
  `${two(random.below(24))}:${two(random.below(60))}:${two(random.below(60))}${random.chance(0.5) ? "" : `.${digits(random, 1 + random.below(6))}`}`
const jsonOf: Make = (random) =>
  random.pick([`{"a": [1, 2.50, "x\\"y"], "b": null}`, "[]", `"ünï 💧"`, "1.10", `{"b":1,"a":2,"a":3}`])
const textOf: Make = (random) =>
  random.pick([
    "",
    "NULL",
    "\\N",
    `a"b'c`,
    "tab\tline\r\n",
    "ünï 💧",
    "x".repeat(200),
    `{a,"b"}`,
    digits(random, 5),
  ])

const values: Readonly<Record<string, readonly [extremes: ReadonlyArray<string>, make: Make]>> = {
  bool: [["t", "f", "true", "false", "yes", "0"], (random) => random.pick(["t", "f"])],
  bytea: [["\\x", "\\x00ff", "\\xABCDEF"], (random) => `\\x${digits(random, 2 * random.below(9))}`],
  date: [
    ["infinity", "-infinity", "0044-03-15 BC", "9999-12-31", "0001-01-01", "2000-02-29", "12024-01-01"],
    dateOf,
  ],
  float4: [
    ["NaN", "Infinity", "-Infinity", "3.4028235e+38", "1e-45", "-0"],
    (random) => `${random.below(1000)}.${digits(random, 5)}`,
  ],
  float8: [
    [
      "NaN",
      "Infinity",
      "-Infinity",
      "1.7976931348623157e+308",
      "5e-324",
      "2.2250738585072014e-308",
      "-0",
      "0.1",
    ],
    (random) =>
      `${random.chance(0.5) ? "-" : ""}${digits(random, 1 + random.below(17))}.${digits(random, 4)}e${random.below(40) - 20}`,
  ],
  int2: [["-32768", "32767", "0", "-0", " 7 "], (random) => String(random.below(65_536) - 32_768)],
  int4: [["-2147483648", "2147483647", "0"], (random) => String(random.below(4_294_967_295) - 2_147_483_648)],
  int8: [
    ["-9223372036854775808", "9223372036854775807", "9007199254740993", "-9007199254740993"],
    (random) => `${random.chance(0.5) ? "-" : ""}${1 + random.below(8)}${digits(random, random.below(18))}`,
  ],
  interval: [["1 year 2 mons", "-1 days +02:03:00"], (random) => `${random.below(99)} days`],
  json: [["{}", "null"], jsonOf],
  jsonb: [["{}", "null"], jsonOf],
  numeric: [
    [
      "NaN",
      "Infinity",
      "-Infinity",
      "0",
      "-0",
      "0.0000",
      "00012.50",
      "1e10",
      "0.00010000",
      "10000",
      "99999999.00009999",
    ],
    (random) =>
      `${random.chance(0.5) ? "-" : ""}${digits(random, 1 + random.below(30))}${random.chance(0.5) ? "" : `.${digits(random, 1 + random.below(20))}`}`,
  ],
  text: [["", "\\N", "NULL"], textOf],
  time: [["00:00:00", "23:59:59.999999", "24:00:00"], timeOf],
  timestamp: [
    [
      "infinity",
      "-infinity",
      "0044-03-15 12:00:00 BC",
      "294276-12-31 23:59:59.999999",
      "2000-02-29 00:00:00",
    ],
    (random) => `${dateOf(random)} ${timeOf(random)}`,
  ],
  timestamptz: [
    [
      "infinity",
      "-infinity",
      "0044-03-15 12:00:00+00 BC",
      "2024-02-29 23:59:59.5+02",
      "1969-12-31 23:59:59.999999+00",
    ],
    (random) => `${dateOf(random)} ${timeOf(random)}+00`,
  ],
  uuid: [
    ["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "00000000-0000-0000-0000-000000000000"],
    (random) => random.uuid(),
  ],
  varchar: [["", "NULL"], textOf],
}

const types = Object.keys(values)
const nullable = (type: string): ColumnInput => `${type}?` as ColumnInput
const graph = Graph.make({
  name: "types",
  tables: {
    typed: {
      columns: {
        id: "int4",
        ...Object.fromEntries(types.map((type) => [`c_${type}`, nullable(type)])),
      } as Record<string, ColumnInput>,
      primaryKey: ["id"],
    },
    ...Object.fromEntries(
      types.map((type) => [
        `only_${type}`,
        { columns: { id: "int4", c: nullable(type) } as Record<string, ColumnInput>, primaryKey: ["id"] },
      ]),
    ),
  },
  nodes: { typed: { table: "typed", key: "typed" } },
})

const valueOf = (random: Seeded, type: string, extreme: boolean): string | null => {
  const [extremes, make] = values[type] ?? [[], textOf]
  if (random.chance(0.1)) return null
  return extreme && random.chance(0.3) ? random.pick(extremes) : make(random)
}

describe("binary encoders", () => {
  let binary: PGlite
  let text: PGlite
  beforeAll(async () => {
    binary = await openPglite()
    text = await openPglite()
  })
  afterAll(() => Promise.all([binary.close(), text.close()]))

  const stores = Effect.gen(function* () {
    const fast = yield* PgliteLocalStore.make({ pglite: binary, graph })
    // Without the raw protocol the store sends every value as text.
    const slow = yield* PgliteLocalStore.make({
      pglite: { transaction: text.transaction.bind(text), syncToFs: () => text.syncToFs() },
      graph,
    })
    yield* fast.wipe
    yield* slow.wipe
    return [fast, slow] as const
  })

  it.live(
    `write tables of all types as text does, in ${runs} random runs`,
    () =>
      Effect.gen(function* () {
        for (let seed = first; seed < first + runs; seed++) {
          const random = seeded(seed)
          const both = yield* stores
          const row = (id: number, extreme: boolean) => ({
            id: String(id),
            ...Object.fromEntries(types.map((type) => [`c_${type}`, valueOf(random, type, extreme)])),
          })
          const rows = Array.from({ length: 80 }, (_, id) => row(id, seed % 2 === 0))
          const changes = rows
            .slice(0, 30)
            .map(({ id }, index) => update("typed", { ...row(Number(id), true), id }, { lsn: 5, op: index }))
          for (const store of both) {
            yield* store.commit([
              shareOf(storeInstance("typed", { table: "typed" }), [
                ...rows.map((value) => insert("typed", value)),
                snapshotEnd(),
              ]),
            ])
            const result = yield* store.commit([shareOf(storeInstance("typed", { table: "typed" }), changes)])
            assert.deepStrictEqual(
              result.outcomes.map(({ _tag }) => _tag),
              ["Committed"],
              `seed ${seed}`,
            )
          }
          assert.deepStrictEqual(
            yield* rowsOf(binary, "typed", graph),
            yield* rowsOf(text, "typed", graph),
            `seed ${seed}`,
          )
        }
      }),
    120_000,
  )

  for (const [type, packed] of types.flatMap((type) => [[type, false] as const, [type, true] as const])) {
    it.live(
      `copy a ${packed ? "packed " : ""}snapshot of ${type} as text writes it, extreme values included`,
      () =>
        Effect.gen(function* () {
          const random = seeded(first)
          const table = `only_${type}`
          const both = yield* stores
          for (const extreme of [false, true]) {
            // The only instance of its table, so that its rows need no entries.
            for (const store of both) yield* store.collect([`${table}-${!extreme}`])
            const instance = storeInstance(`${table}-${extreme}`, { table })
            const messages = Array.from({ length: 60 }, (_, index) =>
              insert(table, { id: String(index + (extreme ? 100 : 0)), c: valueOf(random, type, extreme) }),
            )
            for (const store of both) {
              const share = shareOf(instance, [...messages, snapshotEnd()])
              const { outcomes } = yield* store.commit([
                packed && store === both[0] ? packShare(share) : share,
              ])
              assert.deepStrictEqual(
                outcomes.map(({ _tag }) => _tag),
                ["Committed"],
              )
            }
            assert.deepStrictEqual(yield* rowsOf(binary, table, graph), yield* rowsOf(text, table, graph))
          }
        }),
    )
  }
})

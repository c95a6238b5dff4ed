/** Shapes filed under `column = constant`: every type that is, every one that must not be, against the rows Postgres selects. */
import { PGlite } from "@electric-sql/pglite"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { afterAll, beforeAll } from "vitest"
import { DevServer } from "../src/index.ts"
import { seeded } from "@espalier/engine/testing"
import { ReplayClient } from "./support/ReplayClient.ts"

let db: PGlite

const uuid = (n: number) => `00000000-0000-4000-8000-00000000000${n}`

beforeAll(async () => {
  db = await PGlite.create()
  await db.exec(`
    create type mood as enum ('calm', 'odd one');
    create domain small as int4 check (value < 100);
    create table facts (id int primary key, t text, v varchar(20), i2 int2, i4 int4, i8 int8, b bool, u uuid, m mood,
      n numeric, f float8, c char(6), d small, ts timestamptz);`)
})

afterAll(() => db.close())

const quoteAndComma = 'x,"(y'
const backslashes = "it's \\\\"

/** Conditions, and their parameters. */
const conditions: ReadonlyArray<readonly [where: string, ...params: ReadonlyArray<string>]> = [
  [`t = '${quoteAndComma}'`],
  ["t = $1", backslashes],
  ["t = $1", ""],
  ["'a' = t"],
  ["v = 'a'"],
  ["i2 = 3"],
  ["i4 = 3 AND b"],
  ["i4 = $1 AND t = $2", "2", "a"],
  ["i4 = 1.5"],
  ["i4 = 5000000000"],
  ["i4 = NULL"],
  ["i8 = 5000000000"],
  ["i8 = 3"],
  ["b = true"],
  ["b = $1", "off"],
  [`u = '${uuid(1)}'`],
  ["u = $1", uuid(2).toUpperCase()],
  ["m::text = 'calm'"],
  ["n = 1.0"],
  ["f = 0"],
  ["c = 'ab'"],
  ["d = 3"],
  ["ts = '2024-01-01T00:00:00+02:00'"],
  ["i4 = 3 OR t = 'a'"],
  ["NOT (i4 = 3)"],
  ["i4 = 3 AND i4 = 2"],
  ["t = 'a' AND i4 > 1"],
  ["i4 = i8"],
]

const values: Readonly<Record<string, ReadonlyArray<string>>> = {
  t: [`'${quoteAndComma}'`, `'${backslashes.replace("'", "''")}'`, "''", "'a'", "null"],
  v: ["'a'", "'A'", "null"],
  i2: ["3", "4"],
  i4: ["1", "2", "3", "null"],
  i8: ["3", "5000000000", "2"],
  b: ["true", "false", "null"],
  u: [`'${uuid(1)}'`, `'${uuid(2)}'`, "null"],
  m: ["'calm'", "'odd one'"],
  n: ["1", "1.00", "'NaN'", "null"],
  f: ["0", "'-0'", "'NaN'"],
  c: ["'ab'", "'ab  '", "'abc'"],
  d: ["3", "4"],
  ts: ["'2023-12-31T22:00:00Z'", "'2024-01-01Z'"],
}

const columns = Object.keys(values)

describe("Shapes of a constant", () => {
  for (const seed of [1, 2, 3]) {
    it.live(`hold exactly the rows Postgres selects (seed ${seed})`, () =>
      Effect.gen(function* () {
        yield* Effect.promise(() => db.exec("delete from facts"))
        const server = yield* DevServer.make({ db })
        const clients = conditions.map(([where, ...params]) => {
          const given = Object.fromEntries(params.map((value, index) => [`params[${index + 1}]`, value]))
          return new ReplayClient(server.url, { table: "facts", where, ...given })
        })
        for (const client of clients) yield* Effect.promise(() => client.catchUp())
        const rng = seeded(seed)
        const some = (column: string) => rng.pick(values[column] ?? [])
        for (let round = 0; round < 5; round += 1) {
          for (let write = 0; write < 12; write += 1) {
            const id = rng.between(1, 12)
            const column = rng.pick(columns)
            const statement = rng.pick([
              `insert into facts (id, ${columns.join()}) values (${id}, ${columns.map(some).join()}) on conflict do nothing`,
              `update facts set ${column} = ${some(column)} where id = ${id}`,
              `update facts set ${column} = ${some(column)}`,
              `update facts set id = ${rng.between(13, 30)} where id = ${id} and not exists (select from facts where id > 12)`,
              `delete from facts where id = ${id}`,
            ])
            yield* Effect.promise(() => db.exec(statement))
          }
          for (const [index, client] of clients.entries()) {
            yield* Effect.promise(() => client.catchUp())
            const [where = "", ...params] = conditions[index] ?? []
            const { rows } = yield* Effect.promise(() =>
              db.query<{ id: number }>(`select id from facts where ${where} order by id`, [...params]),
            )
            const held = client.values.map((row) => Number(row["id"])).sort((a, b) => a - b)
            const ids = rows.map(({ id }) => id)
            assert.deepStrictEqual([held, client.refetches], [ids, 0], `${where}, round ${round}`)
          }
        }
      }),
    )
  }
})

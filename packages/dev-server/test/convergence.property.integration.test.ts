/**
 * The rule above all others: after any sequence of writes, a client that replays snapshot and log with tags holds exactly
 * what `SELECT … WHERE …` answers. Random writes over four tables with NULLs everywhere, single- and multi-statement
 * transactions, key changes, cascades and TRUNCATE, against every kind of condition.
 */
import { PGlite } from "@electric-sql/pglite"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { afterAll, beforeAll } from "vitest"
import { DevServer } from "../src/index.ts"
import { seeded, type Seeded } from "@espalier/engine/testing"
import { firstSeed, runs } from "./support/seeds.ts"
import { ReplayClient } from "./support/ReplayClient.ts"

const schema = `
  create table companies (id int primary key, name text, owner int);
  create table members (id int primary key, company_id int, user_id int);
  create table workspaces (id int primary key, company_id int references companies on delete cascade, lead int);
  create table folders (id int primary key, workspace_id int, position int, name text);`

const mine = "SELECT company_id FROM members WHERE user_id = 1"
const myWorkspaces = `SELECT id FROM workspaces WHERE company_id IN (${mine})`

interface Case {
  readonly name: string
  readonly table: string
  readonly where?: string
  readonly extra?: Readonly<Record<string, string>>
  readonly columns?: string
}

const cases: ReadonlyArray<Case> = [
  { name: "whole table", table: "companies" },
  { name: "plain filter, replica full", table: "folders", where: "position > 2", extra: { replica: "full" } },
  { name: "plain filter over NULLs", table: "folders", where: "position <> 2 OR name = 'b'" },
  { name: "narrow columns", table: "companies", where: "owner = 1", columns: "id,name" },
  { name: "one subquery", table: "companies", where: `id IN (${mine})` },
  {
    name: "subquery, its column not selected",
    table: "folders",
    where: `workspace_id IN (${myWorkspaces})`,
    columns: "id,name",
  },
  { name: "nested two levels", table: "folders", where: `workspace_id IN (${myWorkspaces})` },
  { name: "subquery OR plain", table: "folders", where: `workspace_id IN (${myWorkspaces}) OR position = 1` },
  {
    name: "subquery AND plain",
    table: "folders",
    where: `workspace_id IN (${myWorkspaces}) AND position > 1`,
  },
  {
    name: "two subqueries OR",
    table: "companies",
    where: `id IN (${mine}) OR owner IN (SELECT lead FROM workspaces)`,
  },
  {
    name: "two subqueries AND",
    table: "companies",
    where: `id IN (${mine}) AND owner IN (SELECT lead FROM workspaces)`,
  },
  {
    name: "NOT IN with NULLs inside and outside",
    table: "companies",
    where: "owner NOT IN (SELECT lead FROM workspaces)",
  },
  {
    name: "NOT IN over a set that empties",
    table: "companies",
    where: "owner NOT IN (SELECT user_id FROM members WHERE company_id = 2 AND user_id IS NOT NULL)",
  },
  {
    name: "NOT of an OR",
    table: "folders",
    where: `NOT (workspace_id IN (${myWorkspaces}) OR position = 2)`,
  },
  {
    name: "NOT IN OR plain",
    table: "companies",
    where: "owner NOT IN (SELECT lead FROM workspaces WHERE lead IS NOT NULL) OR name = 'a'",
  },
  {
    name: "nested NOT IN",
    table: "folders",
    where: `workspace_id IN (SELECT id FROM workspaces WHERE company_id NOT IN (${mine} AND company_id IS NOT NULL))`,
  },
  {
    name: "tuple",
    table: "workspaces",
    where: "(company_id, lead) IN (SELECT company_id, user_id FROM members)",
  },
  {
    name: "tuple NOT IN with NULLs",
    table: "workspaces",
    where: "(company_id, lead) NOT IN (SELECT company_id, user_id FROM members)",
  },
  {
    name: "its own table",
    table: "folders",
    where: "workspace_id IN (SELECT id FROM folders WHERE position > 1)",
  },
  {
    name: "a DNF of three disjuncts",
    table: "companies",
    where: `(id IN (${mine}) OR name = 'c') AND (owner = 1 OR owner IN (SELECT lead FROM workspaces)) OR name = 'd'`,
  },
]

const nullable = (rng: Seeded, high: number): string =>
  rng.chance(0.15) ? "NULL" : String(rng.between(1, high))
const names = ["'a'", "'b'", "'c'", "'d'", "''", "NULL"]

const valuesOf: Readonly<Record<string, (rng: Seeded) => Readonly<Record<string, string>>>> = {
  companies: (rng) => ({ name: rng.pick(names), owner: nullable(rng, 3) }),
  members: (rng) => ({ company_id: nullable(rng, 5), user_id: nullable(rng, 3) }),
  workspaces: (rng) => ({
    company_id: `(SELECT id FROM companies WHERE id = ${rng.between(1, 5)})`,
    lead: nullable(rng, 3),
  }),
  folders: (rng) => ({ workspace_id: nullable(rng, 8), position: nullable(rng, 3), name: rng.pick(names) }),
}

const maxId: Readonly<Record<string, number>> = { companies: 5, members: 8, workspaces: 8, folders: 12 }

const randomStatement = (rng: Seeded): string => {
  const table = rng.pick(["companies", "members", "members", "workspaces", "folders", "folders"])
  const values = valuesOf[table]?.(rng) ?? {}
  const id = rng.between(1, maxId[table] ?? 1)
  const dice = rng.between(1, 100)
  if (dice <= 45) {
    const list = Object.keys(values)
    return `insert into ${table} (id, ${list.join(", ")}) values (${id}, ${Object.values(values).join(", ")})
      on conflict (id) do update set ${list.map((column) => `${column} = excluded.${column}`).join(", ")}`
  }
  const one = rng.pick(Object.entries(values))
  if (dice <= 65) return `update ${table} set ${one[0]} = ${one[1]} where id = ${id}`
  if (dice <= 75) return `update ${table} set ${one[0]} = ${one[1]} where id % 3 = ${rng.between(0, 2)}`
  if (dice <= 80 && table !== "companies") {
    return `update ${table} set id = ${id} where id = ${rng.between(1, maxId[table] ?? 1)} and not exists (select from ${table} where id = ${id})`
  }
  if (dice === 81 && table === "members") return "truncate members"
  if (dice === 82 && table === "folders") return "truncate folders"
  return `delete from ${table} where id ${rng.chance(0.2) ? ">" : "="} ${id}`
}

let db: PGlite

beforeAll(async () => {
  db = await PGlite.create()
  await db.exec(schema)
})

afterAll(() => db.close())

const expected = async (test: Case): Promise<ReadonlyArray<Record<string, string | null>>> => {
  const columns = test.columns ?? "*"
  const rows = await db.query<{ readonly json: string }>(
    `select row_to_json(t)::text as json from (select ${columns} from ${test.table} where ${test.where ?? "true"}) as t`,
  )
  return rows.rows.map((row) =>
    Object.fromEntries(
      Object.entries(JSON.parse(row.json) as Record<string, unknown>).map(([name, value]) => [
        name,
        value === null ? null : String(value),
      ]),
    ),
  )
}

const byId = (rows: ReadonlyArray<Record<string, string | null>>) =>
  [...rows]
    .sort((a, b) => Number(a["id"]) - Number(b["id"]))
    .map((row) => Object.fromEntries(Object.entries(row).sort()))

const writeSome = async (rng: Seeded, log: Array<string>): Promise<void> => {
  for (let n = rng.between(1, 4); n > 0; n -= 1) {
    const statements = Array.from({ length: rng.chance(0.5) ? 1 : rng.between(2, 5) }, () =>
      randomStatement(rng),
    )
    log.push(statements.join(";\n  "))
    const fails = rng.chance(0.05)
    try {
      await db.transaction(async (tx) => {
        for (const statement of statements) await tx.query(statement)
        if (fails) throw new Error("rolled back on purpose")
      })
    } catch (error) {
      log.push(`-- rolled back: ${String(error)}`)
    }
  }
}

interface Followed {
  readonly test: Case
  readonly query: Readonly<Record<string, string>>
  client: ReplayClient
}

const followAll = (url: string): ReadonlyArray<Followed> =>
  cases.map((test) => {
    const { table, where, columns, extra } = test
    const query = {
      table,
      ...(where === undefined ? {} : { where }),
      ...(columns === undefined ? {} : { columns }),
      ...extra,
    }
    return { test, query, client: new ReplayClient(url, query) }
  })

const compare = (followed: ReadonlyArray<Followed>, rng: Seeded, label: string, log: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    for (const { test, client } of followed) {
      if (rng.chance(0.2)) continue
      yield* Effect.promise(() => client.catchUp())
      const truth = yield* Effect.promise(() => expected(test))
      assert.deepStrictEqual(
        byId(client.values),
        byId(truth),
        `${label}, ${test.name}\n${log.slice(-6).join("\n")}\n${client.history.slice(-12).join("\n")}`,
      )
    }
  })

const emptyTables = Effect.promise(() => db.exec("truncate companies, members, workspaces, folders"))

const scenario = (seed: number) =>
  Effect.gen(function* () {
    const server = yield* DevServer.make({ db, chunkBytes: seed % 3 === 0 ? 300 : undefined })
    const rng = seeded(seed)
    const log: Array<string> = []
    yield* emptyTables
    yield* Effect.promise(() => writeSome(rng, log))
    const followed = followAll(server.url)
    for (let round = 0; round < 12; round += 1) {
      yield* Effect.promise(() => writeSome(rng, log))
      yield* compare(followed, rng, `seed ${seed}, round ${round}`, log)
    }
  }).pipe(Effect.scoped)

/** The same over servers that stop and start again, with writes while none runs. */
const restarts = (seed: number) =>
  Effect.gen(function* () {
    const rng = seeded(seed)
    const log: Array<string> = []
    yield* emptyTables
    yield* Effect.promise(() => writeSome(rng, log))
    let followed: ReadonlyArray<Followed> | null = null
    const captureSchema = `kept_${seed}`
    for (let life = 0; life < 4; life += 1) {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { url } = yield* DevServer.make({ db, captureSchema })
          const current: ReadonlyArray<Followed> = followed ?? followAll(url)
          for (const one of current) one.client = one.client.movedTo(url, one.query)
          followed = current
          for (let round = 0; round < 3; round += 1) {
            yield* compare(current, rng, `seed ${seed}, life ${life}, round ${round}`, log)
            yield* Effect.promise(() => writeSome(rng, log))
          }
        }),
      )
      yield* Effect.promise(() => writeSome(rng, log))
    }
    yield* Effect.promise(() =>
      db.exec(`drop event trigger ${captureSchema}; drop schema ${captureSchema} cascade`),
    )
  })

describe("A client that replays a shape", () => {
  for (let seed = firstSeed; seed < firstSeed + runs; seed += 1) {
    it.live(
      `holds exactly the rows of the condition after random writes (seed ${seed})`,
      () => scenario(seed),
      60_000,
    )
  }

  for (let seed = firstSeed; seed < firstSeed + Math.ceil(runs / 3); seed += 1) {
    it.live(
      `holds exactly the rows of the condition over restarts of the server (seed ${seed})`,
      () => restarts(seed),
      60_000,
    )
  }

  it.live(
    "fetches nothing again over a restart without truncated tables",
    () =>
      Effect.gen(function* () {
        yield* emptyTables
        yield* Effect.promise(() =>
          db.exec(
            "insert into companies select g, 'a', 1 from generate_series(1, 3) g; insert into members values (1, 1, 1)",
          ),
        )
        const followed = yield* Effect.scoped(
          Effect.gen(function* () {
            const { url } = yield* DevServer.make({ db, captureSchema: "kept" })
            const all = followAll(url)
            yield* compare(all, { ...seeded(1), chance: () => false }, "before", [])
            return all
          }),
        )
        yield* Effect.promise(() =>
          db.exec("insert into members values (2, 2, 1); delete from companies where id = 3"),
        )
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { url } = yield* DevServer.make({ db, captureSchema: "kept" })
            for (const one of followed) one.client = one.client.movedTo(url, one.query)
            yield* compare(followed, { ...seeded(1), chance: () => false }, "after", [])
          }),
        )
        assert.deepStrictEqual(
          followed.map(({ client }) => client.refetches),
          followed.map(() => 0),
        )
        yield* Effect.promise(() => db.exec("drop event trigger kept; drop schema kept cascade"))
      }),
    60_000,
  )
})

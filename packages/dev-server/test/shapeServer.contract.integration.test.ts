/**
 * The embedded server, the dev-server as a process on Postgres, and real Electric when `ELECTRIC_URL` and `DATABASE_URL` are set, do with transactions what the model server of
 * the engine's simulation does. What differs here is what a simulation would get wrong.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { PGlite } from "@electric-sql/pglite"
import { describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { Client } from "pg"
import { afterAll, beforeAll } from "vitest"
import { ShapeSource } from "@espalier/engine"
import { ElectricShapeSource } from "@espalier/engine/electric"
import { shapeServerContract, type ShapeServerHarness, type Write } from "@espalier/engine/testing"
import { startPostgres } from "../conformance/postgres.ts"
import { DevServer } from "../src/index.ts"

const cli = join(import.meta.dirname, "../src/cli.ts")

const tables = `
  drop table if exists groups, items;
  create table groups (id int primary key, owner text not null);
  create table items (id int primary key, group_id int not null, title text not null, note text);`

const literal = (value: string | null): string =>
  value === null ? "null" : `'${value.replaceAll("'", "''")}'`

/** Whole rows are inserted or replaced, partial ones updated. */
const statement = ({ remove, row, table }: Write): string => {
  const { id = null, ...rest } = row
  const sets = Object.entries(rest).map(([column, value]) => `${column} = ${literal(value)}`)
  if (remove === true) return `delete from ${table} where id = ${literal(id)};`
  if (table === "items" && !("title" in rest && "group_id" in rest))
    return `update ${table} set ${sets.join(", ")} where id = ${literal(id)};`
  return `insert into ${table} (${Object.keys(row).join(", ")}) values (${Object.values(row).map(literal).join(", ")})
    on conflict (id) do update set ${sets.join(", ")};`
}

const script = (writes: ReadonlyArray<Write>): string => `begin; ${writes.map(statement).join("\n")} commit;`

const harness = (url: string, exec: (script: string) => Effect.Effect<unknown, unknown>) =>
  Effect.gen(function* () {
    const secret = process.env["ELECTRIC_SECRET"]
    const params = secret === undefined ? {} : { secret }
    const services = yield* Layer.build(
      ElectricShapeSource.layer({ url: `${url}/v1/shape`, kind: "electric", params }),
    )
    const found: ShapeServerHarness = {
      source: () => Context.get(services, ShapeSource),
      commit: (writes) => exec(script(writes)),
      pause: Effect.sleep(20),
    }
    return found
  })

let db: PGlite

beforeAll(async () => {
  db = await PGlite.create()
  await db.exec(tables)
})

afterAll(() => db.close())

const embedded = Effect.gen(function* () {
  const server = yield* DevServer.make({ db, longPollTimeoutMillis: 2_000 })
  return yield* harness(server.url, server.exec)
})

describe("The embedded server", () => {
  for (const { name, run } of shapeServerContract) {
    it.live(name, () => Effect.scoped(Effect.flatMap(embedded, run)), 60_000)
  }
})

/** A server and its Postgres that run elsewhere, by their URLs. */
const byUrl = (serverUrl: string, databaseUrl: string) =>
  Effect.gen(function* () {
    const client = new Client({ connectionString: databaseUrl })
    yield* Effect.acquireRelease(
      Effect.promise(() => client.connect()),
      () => Effect.promise(() => client.end()),
    )
    yield* Effect.promise(() => client.query(tables))
    return yield* harness(serverUrl, (text) => Effect.promise(() => client.query(text)))
  })

const postgres = await startPostgres()

// The way that real Electric is met below, walked with a server that is always there.
describe.skipIf(postgres.postgres === undefined)("The dev-server as a process on Postgres, by URL", () => {
  let child: ChildProcess | null = null
  let url = ""

  beforeAll(async () => {
    const args = ["--port", "0", "--database-url", postgres.postgres?.url ?? ""]
    child = spawn(process.execPath, [cli, ...args, "--long-poll-timeout", "2000"], {
      stdio: ["ignore", "pipe", "ignore"],
    })
    if (child.stdout === null) throw new Error("the server's output is no pipe")
    const [line] = (await once(child.stdout, "data")) as [Buffer]
    url = (JSON.parse(line.toString()) as { readonly url: string }).url
  }, 60_000)

  afterAll(async () => {
    const exited = child === null ? null : once(child, "exit")
    child?.kill("SIGTERM")
    await exited
    await postgres.postgres?.close()
  }, 60_000)

  for (const { name, run } of shapeServerContract) {
    const real = Effect.suspend(() => byUrl(url, postgres.postgres?.url ?? ""))
    it.live(name, () => Effect.scoped(Effect.flatMap(real, run)), 60_000)
  }
})

const electricUrl = process.env["ELECTRIC_URL"] ?? ""
const databaseUrl = process.env["DATABASE_URL"] ?? ""

// Only where a real server and its database are given.
describe.skipIf(electricUrl === "" || databaseUrl === "")("Electric", () => {
  for (const { name, run } of shapeServerContract) {
    it.live(name, () => Effect.scoped(Effect.flatMap(byUrl(electricUrl, databaseUrl), run)), 120_000)
  }
})

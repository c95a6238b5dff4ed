/** The official TypeScript client against the dev-server, on the demo's tables. */
import { PGlite } from "@electric-sql/pglite"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { afterAll, beforeAll, beforeEach } from "vitest"
import { DevServer, type DevServerHandle } from "../src/index.ts"
import { demoRows, demoTables, ids } from "./support/demoTables.ts"
import { OfficialClient } from "./support/OfficialClient.ts"

let db: PGlite

beforeAll(async () => {
  db = await PGlite.create()
  await db.exec(demoTables)
})

beforeEach(async () => {
  await db.exec("truncate users cascade")
  await db.exec(demoRows)
})

afterAll(() => db.close())

const follow = (
  server: DevServerHandle,
  params: Record<string, unknown>,
  options: { readonly liveSse?: boolean } = {},
): Effect.Effect<OfficialClient, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => new OfficialClient(server.url, params, options)),
    (client) => Effect.sync(() => client.close()),
  )

const run = (script: string): Effect.Effect<void> => Effect.promise(() => db.exec(script)).pipe(Effect.asVoid)
const wait = (promise: () => Promise<void>): Effect.Effect<void> => Effect.promise(promise)

const foldersOf = (user: string) => ({
  table: "folders",
  where:
    "workspace_id IN (SELECT id FROM workspaces WHERE company_id IN (SELECT company_id FROM company_members WHERE user_id = $1))",
  params: { 1: user },
  columns: ["id", "workspace_id", "name", "position"],
})

describe("The official client", () => {
  it.live(
    "reads a table, then sees inserts, updates and deletes live",
    () =>
      Effect.gen(function* () {
        const server = yield* DevServer.make({ db })
        const client = yield* follow(server, { table: "companies", columns: ["id", "name", "settings"] })
        yield* wait(() => client.untilIds(ids.acme, ids.blue))
        yield* run(
          `update companies set name = 'Acme 2', settings = '{"a": [1, 2]}' where id = '${ids.acme}'`,
        )
        yield* wait(() =>
          client.until("the new name", () => client.replica.values.some((row) => row["name"] === "Acme 2")),
        )
        assert.deepStrictEqual(
          client.replica.values.find((row) => row["id"] === ids.acme),
          { id: ids.acme, name: "Acme 2", settings: '{"a": [1, 2]}' },
        )
        const added = "00000000-0000-4000-8000-0000000000a3"
        yield* run(
          `insert into companies (id, name, slug, owner_id) values ('${added}', 'New', 'new', '${ids.ada}')`,
        )
        yield* wait(() => client.untilIds(ids.acme, ids.blue, added))
        yield* run(`delete from companies where id = '${added}'`)
        yield* wait(() => client.untilIds(ids.acme, ids.blue))
        assert.deepStrictEqual([client.errors, client.mustRefetches], [[], 0])
      }),
    60_000,
  )

  it.live(
    "sees rows enter and leave a filter with a parameter, and a changed key as one row",
    () =>
      Effect.gen(function* () {
        const server = yield* DevServer.make({ db })
        const client = yield* follow(server, {
          table: "folders",
          where: "position > $1::int4",
          params: { 1: "1" },
        })
        yield* wait(() => client.untilIds(ids.folderB))
        yield* run(`update folders set position = 5 where id = '${ids.folderA}'`)
        yield* wait(() => client.untilIds(ids.folderA, ids.folderB))
        yield* run(`update folders set position = 0 where id = '${ids.folderB}'`)
        yield* wait(() => client.untilIds(ids.folderA))
        const moved = "00000000-0000-4000-8000-0000000000c9"
        yield* run(`update folders set id = '${moved}' where id = '${ids.folderA}'`)
        yield* wait(() => client.untilIds(moved))
        const keys = client.messages
          .slice(-3)
          .map((message) => [message.headers.operation, message.headers.op_position])
        assert.deepStrictEqual(keys.slice(0, 2), [
          ["delete", 0],
          ["insert", 1],
        ])
      }),
    60_000,
  )

  it.live(
    "brings and takes the folders of a company two levels below a membership",
    () =>
      Effect.gen(function* () {
        const server = yield* DevServer.make({ db })
        const client = yield* follow(server, foldersOf(ids.ada))
        yield* wait(() => client.untilIds(ids.folderA))
        yield* run(`insert into company_members (company_id, user_id) values ('${ids.blue}', '${ids.ada}')`)
        yield* wait(() => client.untilIds(ids.folderA, ids.folderB))
        yield* run(`update workspaces set company_id = '${ids.blue}' where id = '${ids.acmeDesk}'`)
        yield* run(`update folders set name = 'Renamed' where id = '${ids.folderA}'`)
        yield* wait(() =>
          client.until("the rename", () => client.replica.values.some((row) => row["name"] === "Renamed")),
        )
        assert.deepStrictEqual(client.ids, [ids.folderA, ids.folderB])
        yield* run(`delete from company_members where company_id = '${ids.blue}' and user_id = '${ids.ada}'`)
        yield* wait(() => client.untilIds())
        assert.deepStrictEqual([client.errors, client.mustRefetches], [[], 0])
      }),
    60_000,
  )

  it.live(
    "loses a deleted company's folders by the move-out alone",
    () =>
      Effect.gen(function* () {
        const server = yield* DevServer.make({ db })
        const client = yield* follow(server, foldersOf(ids.ada))
        yield* wait(() => client.untilIds(ids.folderA))
        yield* run(`delete from companies where id = '${ids.acme}'`)
        yield* wait(() => client.untilIds())
        assert.deepStrictEqual(
          client.messages.filter((message) => message.headers.operation === "delete"),
          [],
        )
      }),
    60_000,
  )

  it.live(
    "keeps a company that another arm of the condition still shows",
    () =>
      Effect.gen(function* () {
        const server = yield* DevServer.make({ db })
        const client = yield* follow(server, {
          table: "companies",
          where: "id IN (SELECT company_id FROM company_members WHERE user_id = $1) OR owner_id = $1",
          params: { 1: ids.ada },
        })
        yield* wait(() => client.untilIds(ids.acme))
        yield* run(`delete from company_members where user_id = '${ids.ada}'`)
        yield* wait(() =>
          client.until("the move-out", () => client.messages.some((m) => m.headers.event === "move-out")),
        )
        assert.deepStrictEqual(client.ids, [ids.acme])
        yield* run(`update companies set owner_id = '${ids.ben}' where id = '${ids.acme}'`)
        yield* wait(() => client.untilIds())
      }),
    60_000,
  )

  it.live(
    "starts over after TRUNCATE and after a changed table, and ends with the new rows",
    () =>
      Effect.gen(function* () {
        const server = yield* DevServer.make({ db })
        yield* run(
          "create table notes (id int primary key, text text); insert into notes values (1, 'a'), (2, 'b')",
        )
        yield* Effect.addFinalizer(() => run("drop table notes"))
        const client = yield* follow(server, { table: "notes" })
        yield* wait(() => client.untilIds("1", "2"))
        yield* run("truncate notes; insert into notes values (3, 'c')")
        yield* wait(() => client.untilIds("3"))
        yield* run("alter table notes add column n int default 7")
        yield* wait(() =>
          client.until("the new column", () => client.replica.values.some((row) => row["n"] === "7")),
        )
        assert.strictEqual(client.mustRefetches, 2)
      }),
    60_000,
  )

  it.live(
    "gets 1,000 rows of one transaction in one order, each once",
    () =>
      Effect.gen(function* () {
        const server = yield* DevServer.make({ db, chunkBytes: 20_000 })
        const client = yield* follow(server, foldersOf(ids.ada))
        yield* wait(() => client.untilIds(ids.folderA))
        yield* run(
          `insert into folders (workspace_id, name, position) select '${ids.acmeDesk}', 'f' || g, g from generate_series(1, 1000) g`,
        )
        yield* wait(() =>
          client.until("all rows", () => client.stream.isUpToDate && client.replica.rows.size === 1001),
        )
        const lsns = new Set(client.messages.flatMap((message) => message.headers.lsn ?? []))
        assert.strictEqual(lsns.size, 1)
      }),
    60_000,
  )

  it.live(
    "follows a table over server-sent events, each change once, over transactions of several rows",
    () =>
      Effect.gen(function* () {
        const server = yield* DevServer.make({ db })
        const client = yield* follow(
          server,
          { table: "companies", columns: ["id", "name"] },
          { liveSse: true },
        )
        yield* wait(() => client.untilIds(ids.acme, ids.blue))
        for (let n = 1; n <= 5; n += 1) {
          yield* run(`update companies set name = 'v${n} of ' || id`)
          yield* wait(() =>
            client.until(`version ${n}`, () =>
              client.replica.values.every((row) => String(row["name"]).startsWith(`v${n} `)),
            ),
          )
        }
        const updates = client.messages.filter((message) => message.headers.operation === "update")
        assert.strictEqual(updates.length, 10)
        assert.deepStrictEqual([client.errors, client.mustRefetches], [[], 0])
      }),
    60_000,
  )

  it.live(
    "sees moves and a rotation over server-sent events",
    () =>
      Effect.gen(function* () {
        const server = yield* DevServer.make({ db })
        const client = yield* follow(server, foldersOf(ids.ada), { liveSse: true })
        yield* wait(() => client.untilIds(ids.folderA))
        yield* run(`insert into company_members (company_id, user_id) values ('${ids.blue}', '${ids.ada}')`)
        yield* wait(() => client.untilIds(ids.folderA, ids.folderB))
        yield* run(`delete from company_members where user_id = '${ids.ada}'`)
        yield* wait(() => client.untilIds())
        yield* run("truncate folders")
        yield* wait(() =>
          client.until("the rotation", () => client.mustRefetches === 1 && client.stream.isUpToDate),
        )
        assert.deepStrictEqual(client.errors, [])
      }),
    60_000,
  )
})

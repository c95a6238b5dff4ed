/** Snapshots too large for one page: read in key order while others write, served while they are made, kept in files. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { PGlite } from "@electric-sql/pglite"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { afterAll, beforeAll } from "vitest"
import { DevServer, type DevServerHandle } from "../src/index.ts"
import { seeded } from "@espalier/engine/testing"
import { ReplayClient } from "./support/ReplayClient.ts"

const rowCount = 40_000

let db: PGlite
let folder: string

beforeAll(async () => {
  db = await PGlite.create()
  folder = mkdtempSync(join(tmpdir(), "espalier-large-"))
  await db.exec(`
    create table large (id int primary key, title text not null, n int);
    create table composite (a text collate "C", b uuid, n int, primary key (a, b));
    create table keyless (a int, b text);
    insert into composite select 'k ' || g % 50 || '''\\', gen_random_uuid(), g from generate_series(1, 15000) g;
    insert into keyless select g, repeat('x', 100) from generate_series(1, 15000) g;`)
})

afterAll(async () => {
  await db.close()
  rmSync(folder, { recursive: true, force: true })
})

const fill = Effect.promise(() =>
  db.exec(
    `truncate large; insert into large select g * 2, repeat('t', 60), g % 10 from generate_series(1, ${rowCount}) g`,
  ),
)

const run = (text: string) => Effect.promise(() => db.exec(text))

const expectRows = (client: ReplayClient, query: string) =>
  Effect.gen(function* () {
    const { rows } = yield* Effect.promise(() => db.query<{ row: string }>(query))
    const held = client.values.map((value) => Object.values(value).join("|"))
    assert.deepStrictEqual(held.toSorted(), rows.map(({ row }) => row).toSorted())
  })

const get = (server: DevServerHandle, query: Record<string, string>) =>
  Effect.promise(() => fetch(`${server.url}/v1/shape?${new URLSearchParams({ table: "large", ...query })}`))

/** Reads the pieces of a body until it ends or breaks. */
const readPieces = async (
  response: Response,
): Promise<{ readonly text: string; readonly isBroken: boolean }> => {
  let text = ""
  try {
    for await (const piece of response.body?.pipeThrough(new TextDecoderStream()) ?? []) text += piece
    return { text, isBroken: false }
  } catch {
    // A body that breaks off is what the caller asks about.
    return { text, isBroken: true }
  }
}

describe("A snapshot of many pages", () => {
  for (const seed of [1, 2, 3]) {
    it.live(`meets the log exactly once while rows are written, moved and deleted (seed ${seed})`, () =>
      Effect.gen(function* () {
        yield* fill
        const server = yield* DevServer.make({ db, chunkBytes: 300_000 })
        const whole = new ReplayClient(server.url, { table: "large" })
        const some = new ReplayClient(server.url, { table: "large", where: "n > 4", replica: "full" })
        const clients = [whole, some]
        const reading = Promise.all(clients.map((client) => client.catchUp()))
        const rng = seeded(seed)
        let isReading = true
        void reading.finally(() => (isReading = false))
        const id = () => rng.between(0, rowCount * 2 + 10)
        while (isReading) {
          yield* run(`
            update large set n = (n + 5) % 10 where id between ${id()} and ${id()} and id % 7 = 0 and id < 4000;
            update large set n = (n + 5) % 10 where id = ${id()} or id = ${id()};
            update large set id = ${id()} * 2 + 1 where id = ${id()} and not exists (select from large where id % 2 = 1);
            delete from large where id = ${id()};
            insert into large values (${id()} * 2 + 1, 'new', 7) on conflict do nothing`)
          yield* Effect.sleep(1)
        }
        yield* Effect.promise(() => reading)
        for (const client of clients) yield* Effect.promise(() => client.catchUp())
        yield* expectRows(whole, "select concat_ws('|', id, title, n) as row from large")
        yield* expectRows(some, "select concat_ws('|', id, title, n) as row from large where n > 4")
        assert.deepStrictEqual(
          clients.map((client) => client.refetches),
          [0, 0],
        )
      }),
    )
  }

  it.live("of a composite key or of none holds every row", () =>
    Effect.gen(function* () {
      const server = yield* DevServer.make({ db, chunkBytes: 200_000 })
      for (const [table, row] of [
        ["composite", "concat_ws('|', a, b, n)"],
        ["keyless", "concat_ws('|', a, b)"],
      ] as const) {
        const client = new ReplayClient(server.url, { table })
        yield* Effect.promise(() => client.catchUp())
        yield* expectRows(client, `select ${row} as row from ${table}`)
      }
    }),
  )

  it.live(
    "sends its first rows before the last are read, and answers what needs all rows when it is complete",
    () =>
      Effect.gen(function* () {
        yield* fill
        const server = yield* DevServer.make({ db })
        const response = yield* get(server, { offset: "-1" })
        const handle = response.headers.get("electric-handle") ?? ""
        const reader = response.body?.getReader()
        const first = yield* Effect.promise(async () => (await reader?.read())?.value?.length ?? 0)
        assert.isAbove(first, 0)
        const [now, subset, later] = yield* Effect.all(
          [
            get(server, { offset: "now" }),
            get(server, { offset: "-1", subset__where: "id = 2" }),
            get(server, { offset: "0_0", handle }),
          ],
          { concurrency: 3 },
        )
        assert.deepStrictEqual([now.status, subset.status, later.status], [200, 200, 200])
        assert.strictEqual(later.headers.get("electric-offset"), "0_inf")
        let bytes = first
        for (;;) {
          const piece = yield* Effect.promise(async () => reader?.read())
          if (piece?.done !== false) break
          bytes += piece.value.length
        }
        const again = yield* get(server, { offset: "-1" })
        assert.strictEqual(again.headers.get("electric-handle"), handle)
        assert.strictEqual((yield* Effect.promise(() => again.arrayBuffer())).byteLength, bytes)
      }),
  )

  it.live("is broken off when its table is emptied, and the client hears that it must begin again", () =>
    Effect.gen(function* () {
      yield* fill
      const server = yield* DevServer.make({ db, chunkBytes: 100_000_000 })
      const response = yield* get(server, { offset: "-1" })
      const reading = readPieces(response)
      yield* run("truncate large")
      const { isBroken } = yield* Effect.promise(() => reading)
      assert.isTrue(isBroken)
      const handle = response.headers.get("electric-handle") ?? ""
      assert.strictEqual((yield* get(server, { offset: "0_0", handle })).status, 409)
    }),
  )

  it.live("goes on after a restart where its folder is kept, and is removed with its handle", () =>
    Effect.gen(function* () {
      yield* fill
      const options = {
        db,
        captureSchema: "kept_files",
        snapshotFolder: folder,
        chunkBytes: 500_000,
        allowDelete: true,
      }
      const follow = (url: string) => new ReplayClient(url, { table: "large" })
      const client = yield* Effect.scoped(
        Effect.gen(function* () {
          const server = yield* DevServer.make(options)
          const reader = follow(server.url)
          yield* Effect.promise(() => reader.request(false))
          yield* Effect.promise(() => follow(server.url).catchUp())
          return reader
        }),
      )
      yield* run("update large set n = 77 where id = 4; delete from large where id = 80000")
      yield* Effect.scoped(
        Effect.gen(function* () {
          const server = yield* DevServer.make(options)
          const moved = client.movedTo(server.url, { table: "large" })
          assert.deepStrictEqual(readdirSync(folder), [client.handle])
          yield* Effect.promise(() => moved.catchUp())
          assert.strictEqual(moved.refetches, 0)
          yield* expectRows(moved, "select concat_ws('|', id, title, n) as row from large")
          const query = new URLSearchParams({ table: "large" })
          yield* Effect.promise(() => fetch(`${server.url}/v1/shape?${query}`, { method: "DELETE" }))
        }),
      )
      assert.deepStrictEqual(readdirSync(folder), [])
      yield* run("drop event trigger kept_files; drop schema kept_files cascade")
    }),
  )

  it.live("leaves no temporary files behind", () =>
    Effect.gen(function* () {
      yield* fill
      const temporary = () => readdirSync(tmpdir()).filter((name) => name.startsWith("espalier-snapshots-"))
      const before = new Set(temporary())
      const made = yield* Effect.scoped(
        Effect.gen(function* () {
          const server = yield* DevServer.make({ db })
          yield* Effect.promise(() => new ReplayClient(server.url, { table: "large" }).catchUp())
          return temporary().filter((name) => !before.has(name))
        }),
      )
      assert.isAtLeast(made.length, 1)
      // Another test run on this machine may make folders of its own meanwhile, so at least one of them must be gone.
      assert.isTrue(made.some((name) => !existsSync(join(tmpdir(), name))))
    }),
  )
})

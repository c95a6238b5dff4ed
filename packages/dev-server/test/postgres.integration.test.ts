/**
 * A server on a real Postgres: what other clients write, restarts of the server and of Postgres, commits that overtake each
 * other, definitions that change, and what is left in the database.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type pg from "pg"
import { afterAll, afterEach, assert, beforeAll, beforeEach, describe, it } from "vitest"
import { startPostgres } from "../conformance/postgres.ts"
import { forget } from "../src/Backend.ts"
import { makePool } from "../src/db/Postgres.ts"
import { DevServer, type ServerOptions } from "../src/DevServer.ts"
import { seeded } from "@espalier/engine/testing"
import { ReplayClient } from "./support/ReplayClient.ts"

const started = await startPostgres()

/** A running server that can be stopped. */
interface Running {
  readonly url: string
  readonly stop: () => Promise<void>
}

const keep = { captureSchema: "kept" } as const

// Skipped where no Postgres can be started; the reason is in the name.
describe.skipIf(started.reason !== undefined)(
  `A dev-server on Postgres${started.reason === undefined ? "" : ` (${started.reason})`}`,
  () => {
    let url: string
    let pool: pg.Pool
    let databases = 0
    const running = new Set<Running>()

    const start = async (options: ServerOptions = {}): Promise<Running> => {
      const scope = Scope.makeUnsafe()
      const make = DevServer.make({ databaseUrl: url, longPollTimeoutMillis: 5_000, ...options })
      const server = await Effect.runPromise(make.pipe(Scope.provide(scope)))
      const handle: Running = {
        url: server.url,
        stop: async () => {
          running.delete(handle)
          await Effect.runPromise(Scope.close(scope, Exit.void))
        },
      }
      running.add(handle)
      return handle
    }
    const ids = (client: ReplayClient): ReadonlyArray<string> =>
      client.values.map((row) => String(row["id"])).toSorted((a, b) => a.localeCompare(b))
    const count = async (query: string): Promise<number> =>
      Number((await pool.query<{ n: string }>(`select count(*) as n from ${query}`)).rows[0]?.n)

    beforeAll(() => assert.isDefined(started.postgres))
    beforeEach(async () => {
      databases += 1
      url = (await started.postgres?.createDatabase(`server_${databases}`)) ?? ""
      pool = makePool(url, "others", () => undefined)
      await pool.query("create table t (id int primary key, n int); insert into t values (1, 1), (2, 2)")
    })
    afterEach(async () => {
      for (const server of running) await server.stop()
      await pool.end()
    })
    afterAll(() => started.postgres?.close())

    it("tells waiting clients what another connection commits", async () => {
      const client = new ReplayClient((await start()).url, { table: "t" })
      await client.catchUp()
      const waiting = client.request(true)
      await pool.query("insert into t values (3, 3)")
      await waiting
      assert.deepStrictEqual(ids(client), ["1", "2", "3"])
    })

    it("shows a write to the request that follows it", async () => {
      const client = new ReplayClient((await start()).url, { table: "t" })
      await client.catchUp()
      for (let id = 3; id < 23; id += 1) {
        await pool.query(`insert into t values (${id}, 0)`)
        await client.catchUp()
        assert.include(ids(client), String(id))
      }
    })

    it("shows a commit that does not wait for the disk, too", async () => {
      const client = new ReplayClient((await start()).url, { table: "t" })
      await client.catchUp()
      for (let id = 3; id < 13; id += 1) {
        await pool.query(
          `set synchronous_commit = off; insert into t values (${id}, 0); reset synchronous_commit`,
        )
        await client.catchUp()
        assert.include(ids(client), String(id))
      }
    })

    it("holds exactly the rows there are while several clients write and shapes come and go", async () => {
      const server = await start()
      await pool.query("create table g (id int primary key, t_id int)")
      let next = 100
      const write = async (seed: number): Promise<void> => {
        for (let round = 0; round < 25; round += 1) {
          next += 1
          const id = next
          await pool.query(
            [
              "begin",
              `insert into t values (${id}, ${seed})`,
              `update t set n = n + 1 where id = ${1 + (round % 2)}`,
              round % 3 === 0
                ? `insert into g values (${id}, ${id - seed})`
                : `delete from g where t_id = ${id - 7}`,
              round % 5 === 4 ? "rollback" : "commit",
            ].join("; "),
          )
        }
      }
      const conditions = [
        "TRUE",
        "n > 2",
        "id IN (SELECT t_id FROM g)",
        "id NOT IN (SELECT t_id FROM g) AND n < 3",
      ]
      const clients: Array<readonly [string, ReplayClient]> = []
      const join = async (): Promise<void> => {
        for (const where of [...conditions, ...conditions.map((condition) => `(${condition}) AND id > 0`)]) {
          const client = new ReplayClient(server.url, { table: "t", where })
          clients.push([where, client])
          await client.catchUp()
        }
      }
      await Promise.all([write(1), write(2), write(3), join()])
      for (const [where, client] of clients) {
        await client.catchUp()
        const { rows } = await pool.query<{ id: number }>(`select id from t where ${where}`)
        const expected = rows.map((row) => String(row.id)).toSorted((a, b) => a.localeCompare(b))
        assert.deepStrictEqual(ids(client), expected, where)
      }
    })

    it("reads a large snapshot page by page and meets the log exactly once while several clients write", async () => {
      await pool.query("insert into t select g * 2, g % 10 from generate_series(2, 40000) g")
      const server = await start({ chunkBytes: 300_000 })
      const clients = ["TRUE", "n > 4"].map((where) => new ReplayClient(server.url, { table: "t", where }))
      let [isReading, written] = [true, 0]
      const reading = Promise.all(clients.map((client) => client.catchUp())).finally(() => {
        isReading = false
      })
      const write = async (seed: number): Promise<void> => {
        const rng = seeded(seed)
        const id = () => rng.between(1, 80_010)
        while (isReading) {
          await pool.query(
            `update t set n = (n + 5) % 10 where id between ${id()} and ${id()} and id % 70 = 0 and id < 4000`,
          )
          await pool.query(`insert into t values (${id() * 2 + 1}, 7) on conflict do nothing`)
          await pool.query(
            `update t set id = ${seed * 1_000_000 + written} where id = ${id()} and id < 80010`,
          )
          await pool.query(`delete from t where id = ${id()}`)
          written += 1
        }
      }
      await Promise.all([reading, write(1), write(2)])
      assert.isAbove(written, 5)
      for (const [index, where] of ["true", "n > 4"].entries()) {
        const client = clients[index]
        await client?.catchUp()
        const { rows } = await pool.query<{ row: string }>(
          `select concat_ws('|', id, n) as row from t where ${where}`,
        )
        const held = (client?.values ?? []).map((value) => Object.values(value).join("|"))
        assert.deepStrictEqual(held.toSorted(), rows.map(({ row }) => row).toSorted())
        assert.strictEqual(client?.refetches, 0)
      }
    })

    it("waits with a snapshot for a transaction that is writing", async () => {
      const server = await start()
      const writer = await pool.connect()
      await writer.query("begin; insert into t values (3, 3)")
      const client = new ReplayClient(server.url, { table: "t" })
      const reading = client.catchUp()
      await writer.query("insert into t values (4, 4); commit")
      writer.release()
      await reading
      await client.catchUp()
      assert.deepStrictEqual(ids(client), ["1", "2", "3", "4"])
    })

    it("rotates at a change of definitions that no write follows", async () => {
      const client = new ReplayClient((await start()).url, { table: "t" })
      await client.catchUp()
      const waiting = client.request(true)
      await pool.query("alter table t add column more text")
      assert.strictEqual((await waiting).status, 409)
    })

    it("has the rows of a partition from when it is attached until it is detached, and its changes between", async () => {
      await pool.query(`
        create table parts (day int not null, id int not null, primary key (day, id)) partition by range (day);
        create table parts_1 partition of parts for values from (0) to (10);
        create table parts_2 (id int not null, day int not null, primary key (day, id));
        insert into parts values (1, 1); insert into parts_2 (day, id) values (11, 2)`)
      const root = new ReplayClient((await start()).url, { table: "parts" })
      await root.catchUp()
      assert.deepStrictEqual(ids(root), ["1"])
      const holds = async (expected: ReadonlyArray<string>): Promise<void> => {
        const end = performance.now() + 10_000
        do await root.catchUp()
        while (ids(root).join() !== expected.join() && performance.now() < end)
        assert.deepStrictEqual(ids(root), expected)
      }
      await pool.query("alter table parts attach partition parts_2 for values from (10) to (20)")
      await holds(["1", "2"])
      await pool.query(
        "insert into parts values (12, 3); update parts set id = 4 where id = 2; update parts set day = 13 where id = 1",
      )
      await holds(["1", "3", "4"])
      await pool.query("alter table parts detach partition parts_2")
      await holds([])
      await pool.query("insert into parts_2 (day, id) values (14, 9); insert into parts values (2, 5)")
      await holds(["5"])
    })

    it("rotates only a table whose old rows are no longer logged, and follows it again", async () => {
      const server = await start()
      await pool.query("create table u (id int primary key)")
      const client = new ReplayClient(server.url, { table: "t" })
      const other = new ReplayClient(server.url, { table: "u" })
      await client.catchUp()
      await other.catchUp()
      await pool.query("alter table t replica identity default")
      await pool.query("update t set n = 9 where id = 1")
      await client.catchUp()
      await other.catchUp()
      assert.deepStrictEqual([client.refetches, other.refetches], [1, 0])
      await pool.query("update t set n = 10 where id = 1")
      await client.catchUp()
      assert.deepStrictEqual(
        client.values.find((row) => row["id"] === "1"),
        { id: "1", n: "10" },
      )
    })

    it("rotates shapes that take their inner values from a table whose old rows are no longer logged", async () => {
      const server = await start()
      await pool.query("create table u (id int primary key, t_id int); insert into u values (1, 1)")
      const [client, other] = ["id IN (SELECT t_id FROM u)", "TRUE"].map(
        (where) => new ReplayClient(server.url, { table: "t", where }),
      ) as [ReplayClient, ReplayClient]
      await client.catchUp()
      await other.catchUp()
      await pool.query("alter table u replica identity default; update u set t_id = 2")
      await client.catchUp()
      await other.catchUp()
      assert.deepStrictEqual([ids(client), client.refetches, other.refetches], [["2"], 1, 0])
    })

    it("leaves no slot, publication or schema behind", async () => {
      const server = await start()
      await new ReplayClient(server.url, { table: "t" }).catchUp()
      assert.strictEqual(await count("pg_replication_slots where database = current_database()"), 1)
      await server.stop()
      assert.strictEqual(await count("pg_publication"), 0)
      assert.strictEqual(await count("pg_namespace where nspname like 'espalier%'"), 0)
    })

    it("goes on after a restart with handles, offsets and what was written meanwhile", async () => {
      const first = await start(keep)
      const plain = new ReplayClient(first.url, { table: "t" })
      const sub = new ReplayClient(first.url, { table: "t", where: "id IN (SELECT n FROM t)" })
      await plain.catchUp()
      await sub.catchUp()
      await pool.query("insert into t values (3, 3)")
      await plain.catchUp()
      await first.stop()
      await pool.query("insert into t values (4, 4); delete from t where id = 1")
      const second = await start(keep)
      const later = [plain.movedTo(second.url, { table: "t" })]
      later.push(sub.movedTo(second.url, { table: "t", where: "id IN (SELECT n FROM t)" }))
      for (const client of later) {
        await client.catchUp()
        assert.deepStrictEqual([ids(client), client.refetches], [["2", "3", "4"], 0])
      }
    })

    it("rotates after a restart when the slot is gone, or the table was not followed meanwhile", async () => {
      for (const damage of [
        "select pg_drop_replication_slot('kept')",
        "alter publication kept drop table t",
        "alter table t replica identity default",
      ]) {
        const first = await start(keep)
        const client = new ReplayClient(first.url, { table: "t" })
        await client.catchUp()
        await first.stop()
        // Postgres lets go of the slot when its own process has noticed that the connection is closed.
        while ((await count("pg_replication_slots where active")) > 0)
          await pool.query("select pg_sleep(0.01)")
        await pool.query(damage)
        await pool.query("update t set n = n + 1")
        const second = await start(keep)
        const moved = client.movedTo(second.url, { table: "t" })
        await moved.catchUp()
        assert.strictEqual(moved.refetches, 1, damage)
        const { rows } = await pool.query<{ n: number }>("select n from t order by id")
        assert.deepStrictEqual(
          moved.values.map((row) => row["n"]),
          rows.map((row) => String(row.n)),
        )
        await second.stop()
      }
    })

    it("refuses a second server under one name, and forgets a name on request", async () => {
      const first = await start(keep)
      const second = await start(keep).then(
        () => "started",
        (error: unknown) => String(error),
      )
      assert.match(second, /another dev-server/u)
      await first.stop()
      await forget(url, keep.captureSchema)
      assert.strictEqual(await count("pg_replication_slots where slot_name = 'kept'"), 0)
      assert.strictEqual(await count("pg_publication"), 0)
      assert.strictEqual(await count("pg_namespace where nspname = 'kept'"), 0)
    })

    it("answers 503 while Postgres is away, and then continues or says must-refetch", async () => {
      const lasting = await start(keep)
      const passing = await start()
      const clients = [lasting, passing].map((server) => new ReplayClient(server.url, { table: "t" }))
      for (const client of clients) await client.catchUp()
      await started.postgres?.halt()
      const away = await fetch(`${lasting.url}/v1/shape?table=t&offset=-1`)
      assert.strictEqual(away.status, 503)
      assert.strictEqual(away.headers.get("retry-after"), "10")
      await away.body?.cancel()
      await started.postgres?.restart()
      await pool.query("insert into t values (3, 3)")
      for (const client of clients) {
        await client.catchUp()
        assert.deepStrictEqual(ids(client), ["1", "2", "3"])
      }
      assert.deepStrictEqual(
        clients.map((client) => client.refetches),
        [0, 1],
      )
    })
  },
)

/**
 * The contract of the capture port, held by both adapters: triggers on PGlite, pgoutput on a real Postgres. Writes come from
 * a client that is not the engine wherever the database knows more than one.
 */
import { PGlite } from "@electric-sql/pglite"
import { afterAll, assert, beforeAll, beforeEach, describe, it } from "vitest"
import { startPostgres, type TestPostgres } from "../conformance/postgres.ts"
import type { Capture, Captured, CapturedTransaction } from "../src/capture/Capture.ts"
import * as LogicalCapture from "../src/capture/LogicalCapture.ts"
import * as TriggerCapture from "../src/capture/TriggerCapture.ts"
import { findTable, type Table } from "../src/db/catalog.ts"
import { type Database, fromPGlite } from "../src/db/Database.ts"
import { fromPool, makePool } from "../src/db/Postgres.ts"
import { parseRecord } from "../src/db/recordLiteral.ts"
import { unexpected } from "./support/unexpected.ts"

/** One adapter over a fresh database. */
interface Bench {
  readonly db: Database
  readonly capture: Capture
  /** Runs statements in one transaction, as another client where there are others. */
  readonly write: (...statements: ReadonlyArray<string>) => Promise<void>
  readonly close: () => Promise<void>
}

const started = await startPostgres()

const onPGlite = async (): Promise<Bench> => {
  const pglite = await PGlite.create()
  const db = fromPGlite(pglite)
  return {
    db,
    capture: TriggerCapture.make(db, "contract"),
    write: (...statements) =>
      db.transaction(async (sql) => {
        for (const statement of statements) await sql.exec(statement)
      }),
    close: () => pglite.close(),
  }
}

let databases = 0

const onPostgres = async (postgres: TestPostgres): Promise<Bench> => {
  databases += 1
  const url = await postgres.createDatabase(`contract_${databases}`)
  const pool = makePool(url, "contract", unexpected)
  const otherPool = makePool(url, "others", unexpected)
  const others = fromPool(otherPool, { isRepeatable: false })
  const db = fromPool(pool, { isRepeatable: true })
  const options = {
    url,
    db,
    pool,
    name: "espalier_contract",
    isLasting: false,
    now: Date.now,
    onFailure: unexpected,
  }
  const capture = await LogicalCapture.open(options)
  return {
    db,
    capture,
    write: (...statements) =>
      others.transaction(async (sql) => {
        for (const statement of statements) await sql.exec(statement)
      }),
    close: async () => {
      await capture.close()
      await Promise.all([pool.end(), otherPool.end()])
    },
  }
}

const holdTheContract = (makeBench: () => Promise<Bench>): void => {
  let bench: Bench

  const tableOf = async (name: string): Promise<Table> =>
    (await bench.db.transaction((sql) => findTable(sql, "public", name))) ?? assert.fail(`no table ${name}`)
  const track = async (name: string): Promise<ReadonlyArray<string>> =>
    bench.capture.track([await tableOf(name)])
  const take = (): Promise<Captured> => bench.db.transaction((sql) => bench.capture.take(sql))
  const taken = async (): Promise<ReadonlyArray<CapturedTransaction>> => (await take()).transactions
  const brief = (transactions: ReadonlyArray<CapturedTransaction>): unknown =>
    transactions.map((transaction) =>
      transaction.changes.map(({ operation, oldRow, newRow }) => [
        operation,
        oldRow === null ? null : parseRecord(oldRow),
        newRow === null ? null : parseRecord(newRow),
      ]),
    )

  beforeAll(async () => {
    bench = await makeBench()
    await bench.db.transaction((sql) => bench.capture.install(sql))
  })

  afterAll(() => bench.close())

  beforeEach(async () => {
    await bench.write("drop table if exists t, u, v, p cascade")
    await bench.write(
      "create table t (id int primary key, name text, n numeric)",
      "insert into t values (1, 'a', 1)",
    )
    await track("t")
    await take()
  })

  it("delivers a transaction's changes together, in order, with both rows", async () => {
    await bench.write(
      "insert into t values (2, null, 2.50)",
      `update t set name = 'q"\\,(' where id = 1`,
      "delete from t where id = 2",
    )
    const transactions = await taken()
    assert.deepStrictEqual(brief(transactions), [
      [
        ["insert", null, ["2", null, "2.50"]],
        ["update", ["1", "a", "1"], ["1", `q"\\,(`, "1"]],
        ["delete", ["2", null, "2.50"], null],
      ],
    ])
    const positions = transactions[0]?.changes.map((change) => change.position)
    assert.deepStrictEqual(positions, [0, 2, 4])
    const { oid } = await tableOf("t")
    assert.deepStrictEqual([...new Set(transactions[0]?.changes.map((change) => change.relation))], [oid])
  })

  it("delivers transactions in commit order, each once, with ids and places that differ", async () => {
    await bench.write("insert into t values (2, 'b', 0)")
    await bench.write("insert into t values (3, 'c', 0)")
    const transactions = await taken()
    assert.deepStrictEqual(brief(transactions), [
      [["insert", null, ["2", "b", "0"]]],
      [["insert", null, ["3", "c", "0"]]],
    ])
    const [first, second] = transactions
    assert.isBelow(first?.txid ?? 0, second?.txid ?? 0)
    if (first?.lsn != null) assert.isBelow(first.lsn, second?.lsn ?? 0)
    assert.deepStrictEqual(await taken(), [])
  })

  it("delivers nothing of a transaction that was rolled back", async () => {
    await bench.write("insert into t values (2, 'b', 0)", "select 1 / 0").catch(() => undefined)
    await bench.write("insert into t values (3, 'c', 0)")
    assert.deepStrictEqual(brief(await taken()), [[["insert", null, ["3", "c", "0"]]]])
  })

  it("delivers again what was taken in a transaction that did not commit", async () => {
    await bench.write("insert into t values (2, 'b', 0)")
    const failing = bench.db.transaction(async (sql) => {
      await bench.capture.take(sql)
      throw new Error("on purpose")
    })
    await failing.catch(() => undefined)
    assert.deepStrictEqual(brief(await taken()), [[["insert", null, ["2", "b", "0"]]]])
  })

  it("delivers whole old rows, values stored aside included", async () => {
    const long = Array.from(
      { length: 4_000 },
      (_unused, index) => `${index}-${(index * 7_919) % 10_007}`,
    ).join(" ")
    await bench.write(`insert into t values (2, '${long}', 0)`)
    await take()
    await bench.write("update t set n = 1 where id = 2")
    assert.deepStrictEqual(brief(await taken()), [[["update", ["2", long, "0"], ["2", long, "1"]]]])
  })

  it("prints values under fixed settings, whatever the writer's are", async () => {
    await bench.write(
      "create table v (id int primary key, at timestamptz, span interval, raw bytea, f float8)",
    )
    await track("v")
    await take()
    await bench.write(
      "set local timezone = 'Asia/Tokyo'",
      "set local datestyle = 'German'",
      "set local bytea_output = 'escape'",
      "set local intervalstyle = 'sql_standard'",
      "insert into v values (1, '2024-01-02 03:04:05+09', '1 day 2 hours', '\\x00ff', 0.1)",
    )
    assert.deepStrictEqual(brief(await taken()), [
      [["insert", null, ["1", "2024-01-01 18:04:05+00", "P1DT2H", "\\x00ff", "0.1"]]],
    ])
  })

  it("names tables that were emptied", async () => {
    const { oid } = await tableOf("t")
    await bench.write("insert into t values (2, 'b', 0)", "truncate t")
    const transactions = await taken()
    assert.deepStrictEqual(
      transactions.map((transaction) => transaction.truncated),
      [[oid]],
    )
  })

  it("says that definitions changed, at the latest with the next write", async () => {
    assert.isFalse((await take()).schemaChanged)
    await bench.write("alter table t add column more int")
    await bench.write("insert into t values (2, 'b', 0, 7)")
    const captured = await take()
    assert.isTrue(captured.schemaChanged)
    assert.deepStrictEqual(brief(captured.transactions), [[["insert", null, ["2", "b", "0", "7"]]]])
    assert.isFalse((await take()).schemaChanged)
  })

  it("captures a table only from when it is tracked, and says when that began", async () => {
    await bench.write("create table u (id int primary key)", "insert into u values (1)")
    const { oid } = await tableOf("u")
    await bench.write("insert into u values (2)")
    assert.deepStrictEqual(await track("u"), [oid])
    assert.deepStrictEqual(await track("u"), [])
    await bench.write("insert into u values (3)")
    assert.deepStrictEqual(brief(await taken()), [[["insert", null, ["3"]]]])
  })

  it("tells changes of partitions as the root's, a row that moves as two", async () => {
    await bench.write(
      "create table p (id int, k int, v text, primary key (id, k)) partition by list (k)",
      "create table p1 partition of p for values in (1)",
      "create table p2 (v text, k int not null, id int not null, primary key (id, k))",
      "alter table p attach partition p2 for values in (2)",
    )
    const { oid } = await tableOf("p")
    await track("p")
    await take()
    await bench.write("insert into p values (1, 1, 'x'), (2, 2, 'y')", "update p set k = 2 where id = 1")
    const transactions = await taken()
    assert.deepStrictEqual(brief(transactions), [
      [
        ["insert", null, ["1", "1", "x"]],
        ["insert", null, ["2", "2", "y"]],
        ["delete", ["1", "1", "x"], null],
        ["insert", null, ["1", "2", "x"]],
      ],
    ])
    assert.deepStrictEqual([...new Set(transactions[0]?.changes.map((change) => change.relation))], [oid])
  })

  it("is heard after a commit", async () => {
    let hear = (): void => undefined
    const heard = new Promise<void>((resolve) => (hear = resolve))
    const stop = await bench.capture.listen(() => hear())
    await bench.write("insert into t values (2, 'b', 0)")
    await heard
    await stop()
    assert.deepStrictEqual(brief(await taken()), [[["insert", null, ["2", "b", "0"]]]])
  })

  it("takes itself out of the database", async () => {
    await bench.db.transaction((sql) => bench.capture.remove(sql))
    const left = await bench.db.transaction((sql) =>
      sql.rows(`
        select tgname::text from pg_trigger where not tgisinternal
        union all select evtname from pg_event_trigger
        union all select pubname from pg_publication
        union all select nspname from pg_namespace where nspname = 'contract'`),
    )
    assert.deepStrictEqual(left, [])
  })
}

afterAll(() => started.postgres?.close())

describe("Capture by triggers on PGlite", () => {
  holdTheContract(onPGlite)
})

// Skipped where no Postgres can be started; the reason is in the name.
describe.skipIf(started.reason !== undefined)(
  `Capture by pgoutput on Postgres${started.reason === undefined ? "" : ` (${started.reason})`}`,
  () => {
    holdTheContract(() => onPostgres(started.postgres ?? assert.fail("no Postgres")))
  },
)

/** The command over a real Postgres: a kill with `--keep`, and `--forget`; and options that contradict each other. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { afterAll, afterEach, assert, describe, it } from "vitest"
import { startPostgres } from "../conformance/postgres.ts"
import { readFlags } from "../src/cli/flags.ts"
import { makePool } from "../src/db/Postgres.ts"
import { ReplayClient } from "./support/ReplayClient.ts"

const cli = join(import.meta.dirname, "../src/cli.ts")
const started = await startPostgres()
const children = new Set<ChildProcess>()

const run = (...args: ReadonlyArray<string>): ChildProcess => {
  const child = spawn(process.execPath, [cli, "--port", "0", ...args], {
    stdio: ["ignore", "pipe", "ignore"],
  })
  children.add(child)
  return child
}

const serve = async (...args: ReadonlyArray<string>): Promise<{ child: ChildProcess; url: string }> => {
  const child = run(...args)
  const [line] = (await once(child.stdout ?? assert.fail(), "data")) as [Buffer]
  return { child, url: (JSON.parse(line.toString()) as { readonly url: string }).url }
}

afterEach(() => {
  for (const child of children) child.kill("SIGKILL")
  children.clear()
})
afterAll(() => started.postgres?.close())

// Skipped where no Postgres can be started; the reason is in the name.
describe.skipIf(started.reason !== undefined)(
  `The dev-server command on Postgres${started.reason === undefined ? "" : ` (${started.reason})`}`,
  () => {
    it("continues after a kill, and forgets what it kept", async () => {
      const databaseUrl = (await started.postgres?.createDatabase("cli")) ?? ""
      const pool = makePool(databaseUrl, "others", () => undefined)
      await pool.query("create table t (id int primary key); insert into t values (1)")
      const args = ["--database-url", databaseUrl, "--keep", "cli_kept"]
      const first = await serve(...args)
      const client = new ReplayClient(first.url, { table: "t" })
      await client.catchUp()
      first.child.kill("SIGKILL")
      await once(first.child, "exit")
      await pool.query("insert into t values (2)")
      const second = await serve(...args)
      const moved = client.movedTo(second.url, { table: "t" })
      await moved.catchUp()
      assert.deepStrictEqual([moved.values.map((row) => row["id"]), moved.refetches], [["1", "2"], 0])
      second.child.kill("SIGTERM")
      assert.deepStrictEqual(await once(second.child, "exit"), [0, null])
      const forgetting = run("--database-url", databaseUrl, "--forget", "cli_kept")
      assert.deepStrictEqual(await once(forgetting, "exit"), [0, null])
      const { rows } = await pool.query(
        "select slot_name from pg_replication_slots where slot_name = 'cli_kept' union all select pubname from pg_publication",
      )
      assert.deepStrictEqual(rows, [])
      await pool.end()
    })
  },
)

describe("Options about the database", () => {
  it.each([
    [["--database-url", "mysql://x"], /must be postgres/u],
    [["--database-url", "postgres://x/y", "--data-dir", "d"], /exclude each other/u],
    [["--keep", "a"], /needs --database-url/u],
    [["--database-url", "postgres://x/y", "--keep", "Bad-Name"], /lower-case/u],
    [["--database-url", "postgres://x/y", "--forget", "pg_x"], /lower-case/u],
  ] as const)("refuses %j", (args, problem) => {
    assert.match(readFlags(args, {}).problem ?? "", problem)
  })
})

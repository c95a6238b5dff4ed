/** The command: ready line, clean stop, clear errors, and a data directory that outlives stops and kills. */
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { ReplayClient } from "./support/ReplayClient.ts"

const cli = join(import.meta.dirname, "../src/cli.ts")
const token = "test-token"

const seed = `
  create table companies (id int primary key, name text);
  create table members (id int primary key, company_id int, user_id int);
  create table notes (id int primary key, company_id int, text text);
  insert into companies values (1, 'a'), (2, 'b');
  insert into members values (1, 1, 7);
  insert into notes values (10, 1, 'one'), (20, 2, 'two');`

interface Running {
  readonly process: ChildProcess
  readonly url: string
  readonly ready: {
    readonly ready: boolean
    readonly url: string
    readonly port: number
    readonly dataDir: string | null
  }
  readonly stderr: () => string
  readonly stop: (signal: NodeJS.Signals) => Promise<number | null>
}

let directory: string
const children: Array<ChildProcess> = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "espalier-dev-server-"))
})

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL")
  rmSync(directory, { recursive: true, force: true })
})

const spawnCli = (args: ReadonlyArray<string>, env: Record<string, string> = {}) => {
  const child = spawn(process.execPath, [cli, ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  })
  children.push(child)
  const out = { stdout: "", stderr: "" }
  child.stdout.on("data", (data: Buffer) => (out.stdout += data.toString()))
  child.stderr.on("data", (data: Buffer) => (out.stderr += data.toString()))
  const exited = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)))
  return { child, out, exited }
}

const start = async (...args: ReadonlyArray<string>): Promise<Running> => {
  const { child, out, exited } = spawnCli(["--port", "0", "--sql-token", token, ...args])
  await new Promise<void>((resolve, reject) => {
    child.stdout.on("data", () => out.stdout.includes("\n") && resolve())
    void exited.then((code) => reject(new Error(`exited with ${code}: ${out.stderr}`)))
  })
  const ready = JSON.parse(out.stdout) as Running["ready"]
  return {
    process: child,
    url: ready.url,
    ready,
    stderr: () => out.stderr,
    stop: (signal) => {
      child.kill(signal)
      return exited
    },
  }
}

const fails = async (
  ...args: ReadonlyArray<string>
): Promise<{ readonly code: number | null; readonly stderr: string }> => {
  const { out, exited } = spawnCli(args)
  return { code: await exited, stderr: out.stderr }
}

const post = (url: string, body: unknown, headers: Record<string, string> = { "x-espalier-dev": token }) =>
  fetch(`${url}/sql`, { method: "POST", headers, body: JSON.stringify(body) })

const sql = async (url: string, ...statements: ReadonlyArray<string>): Promise<unknown> => {
  const response = await post(url, { statements: statements.map((text) => ({ sql: text })) })
  assert.strictEqual(response.status, 200)
  return response.json()
}

const seedFile = (text = seed): string => {
  const path = join(directory, "seed.sql")
  writeFileSync(path, text)
  return path
}

describe("The dev-server command", () => {
  it("prints one ready line, serves, says that it is for development, and stops cleanly on SIGTERM and SIGINT", async () => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const server = await start("--seed", seedFile())
      assert.deepStrictEqual(server.ready, {
        ready: true,
        url: server.url,
        port: server.ready.port,
        dataDir: null,
      })
      assert.match(server.stderr(), /for development and tests only/u)
      const client = new ReplayClient(server.url, { table: "companies" })
      await client.catchUp()
      assert.strictEqual(client.values.length, 2)
      const waiting = client.request(true).catch((error: unknown) => String(error))
      const before = performance.now()
      assert.strictEqual(await server.stop(signal), 0)
      assert.isBelow(performance.now() - before, 3000)
      assert.match(String(await waiting), /503|fetch failed/u)
    }
  })

  it("names a bad flag, a port in use, a missing and a broken seed, and a file in place of a directory", async () => {
    const flag = await fails("--prot", "1")
    assert.deepStrictEqual([flag.code, flag.stderr], [2, "dev-server: Unknown option --prot. See --help.\n"])
    const port = await fails("--port", "70000")
    assert.match(port.stderr, /--port must be a whole number from 0 to 65535/u)
    assert.strictEqual(port.code, 2)
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve))
    const address = taken.address()
    const used = await fails("--port", String(typeof address === "object" ? address?.port : 0))
    taken.close()
    assert.match(used.stderr, /dev-server: Port \d+ on 127.0.0.1 is already in use/u)
    assert.strictEqual(used.code, 1)
    const missing = await fails("--seed", join(directory, "none.sql"))
    assert.match(missing.stderr, /The seed file .*none.sql cannot be read/u)
    assert.strictEqual(missing.code, 1)
    const broken = await fails("--port", "0", "--seed", seedFile("create table a (id int); selec 1"))
    assert.match(broken.stderr, /The seed file .*seed.sql failed: syntax error/u)
    assert.strictEqual(broken.code, 1)
    const file = await fails("--port", "0", "--data-dir", seedFile())
    assert.match(file.stderr, /The data directory .* cannot be used/u)
    assert.strictEqual(file.code, 1)
  })

  it("prints its options with --help", async () => {
    const { out, exited } = spawnCli(["--help"])
    assert.strictEqual(await exited, 0)
    assert.match(out.stdout, /--data-dir/u)
  })

  it("refuses a data directory in use, takes over the lock of a dead process, and gives it back", async () => {
    const dataDir = join(directory, "data")
    const lock = join(dataDir, "espalier-dev-server.lock")
    const first = await start("--data-dir", dataDir)
    const second = await fails("--port", "0", "--data-dir", dataDir)
    assert.match(second.stderr, /data directory is in use by process \d+/u)
    assert.strictEqual(second.code, 1)
    assert.strictEqual(readFileSync(lock, "utf8"), String(first.process.pid))
    await first.stop("SIGKILL")
    assert.isTrue(existsSync(lock))
    const third = await start("--data-dir", dataDir)
    assert.strictEqual(await third.stop("SIGTERM"), 0)
    assert.isFalse(existsSync(lock))
  })

  it("seeds an empty data directory once", async () => {
    const dataDir = join(directory, "data")
    const file = seedFile()
    const first = await start("--data-dir", dataDir, "--seed", file)
    await sql(first.url, "insert into companies values (3, 'c')")
    await first.stop("SIGTERM")
    const second = await start("--data-dir", dataDir, "--seed", file)
    const answer = (await sql(second.url, "select count(*) as n from companies")) as {
      readonly results: ReadonlyArray<{ readonly rows: unknown }>
    }
    assert.deepStrictEqual(answer.results[0]?.rows, [{ n: "3" }])
  })

  it.each(["SIGTERM", "SIGKILL"] as const)(
    "goes on with the same handles after %s, without sending rows again",
    async (signal) => {
      const dataDir = join(directory, "data")
      const first = await start("--data-dir", dataDir, "--seed", seedFile())
      const queries = [
        { table: "companies" },
        { table: "notes", where: "company_id IN (SELECT company_id FROM members WHERE user_id = 7)" },
      ]
      const clients = queries.map((query) => new ReplayClient(first.url, query))
      for (const client of clients) await client.catchUp()
      await sql(first.url, "insert into companies values (3, 'c')", "insert into members values (2, 2, 7)")
      await clients[0]?.catchUp()
      await first.stop(signal)
      const second = await start("--data-dir", dataDir)
      await sql(
        second.url,
        "update companies set name = 'B' where id = 2",
        "delete from members where company_id = 1",
        "insert into notes values (30, 2, 'three')",
      )
      const resumed = clients.map((client, index) =>
        client.movedTo(second.url, queries[index] ?? { table: "" }),
      )
      for (const client of resumed) await client.catchUp()
      assert.deepStrictEqual(
        resumed.map((client) => client.refetches),
        [0, 0],
      )
      assert.deepStrictEqual(resumed[0]?.values.map((row) => row["name"]).toSorted(), ["B", "a", "c"])
      assert.deepStrictEqual(resumed[1]?.values.map((row) => row["id"]).toSorted(), ["20", "30"])
      const fresh = new ReplayClient(second.url, queries[1] ?? {})
      await fresh.catchUp()
      assert.deepStrictEqual(fresh.handle, resumed[1]?.handle ?? "")
      assert.deepStrictEqual(fresh.values.map((row) => row["id"]).toSorted(), ["20", "30"])
    },
  )

  it("gives a fresh in-memory server higher handles and LSNs, so that old ones are void", async () => {
    const first = await start("--seed", seedFile())
    const client = new ReplayClient(first.url, { table: "companies" })
    await client.catchUp()
    await first.stop("SIGTERM")
    const second = await start("--seed", seedFile())
    const resumed = client.movedTo(second.url, { table: "companies" })
    const oldHandle = String(client.handle)
    await resumed.catchUp()
    assert.strictEqual(resumed.refetches, 1)
    assert.isAbove(Number(String(resumed.handle).split("-")[1]), Number(oldHandle.split("-")[1]))
  })
})

describe("POST /sql", () => {
  it("runs all statements in one transaction and answers values as text", async () => {
    const server = await start("--seed", seedFile())
    const good = await post(server.url, {
      statements: [
        {
          sql: "insert into companies values ($1, $2) returning id, name, id > 2 as big, null as nothing, '{1,2}'::int[] as list",
          params: ["3", "c"],
        },
        { sql: "update companies set name = name || '!' where id < $1", params: [3] },
      ],
    })
    assert.deepStrictEqual(await good.json(), {
      results: [
        { rows: [{ id: "3", name: "c", big: "t", nothing: null, list: "{1,2}" }], affected: 1 },
        { rows: [], affected: 2 },
      ],
    })
    const bad = await post(server.url, { statements: [{ sql: "delete from companies" }, { sql: "selec" }] })
    assert.strictEqual(bad.status, 400)
    assert.deepInclude((await bad.json()) as object, { code: "sql_failed", sqlstate: "42601", statement: 1 })
    const count = (await sql(server.url, "select count(*) from companies")) as {
      readonly results: ReadonlyArray<{ readonly rows: unknown }>
    }
    assert.deepStrictEqual(count.results[0]?.rows, [{ count: "3" }])
  })

  it("refuses a wrong token, a foreign Host, a malformed body and other methods, and has no CORS", async () => {
    const server = await start()
    const wrong = await post(server.url, { statements: [] }, { "x-espalier-dev": "nope" })
    assert.deepStrictEqual([wrong.status, wrong.headers.get("access-control-allow-origin")], [401, null])
    assert.strictEqual((await post(server.url, { statements: "x" })).status, 400)
    assert.strictEqual(
      (await fetch(`${server.url}/sql`, { headers: { "x-espalier-dev": token } })).status,
      405,
    )
    const { request } = await import("node:http")
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const outgoing = request(
        `${server.url}/sql`,
        { method: "POST", headers: { host: "evil.example", "x-espalier-dev": token } },
        (response) => {
          response.resume()
          resolve(response.statusCode)
        },
      )
      outgoing.on("error", reject)
      outgoing.end("{}")
    })
    assert.strictEqual(status, 403)
  })

  it("does not exist without a token", async () => {
    const { child, out } = spawnCli(["--port", "0"], { ESPALIER_SQL_TOKEN: "" })
    await new Promise<void>((resolve) => child.stdout?.on("data", () => resolve()))
    const { url } = JSON.parse(out.stdout) as { readonly url: string }
    assert.strictEqual((await post(url, { statements: [] })).status, 404)
  })
})

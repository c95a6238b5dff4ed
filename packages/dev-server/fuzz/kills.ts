/**
 * Kills a dev-server with a data directory at random moments, while rows are written and shapes are followed, and starts it
 * again: clients go on with their old handles and offsets and must end with exactly the rows of the database, or be told
 * to begin again. Used by `pnpm fuzz --kills N` and, in small, by the tests.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { seeded, type Seeded } from "@espalier/engine/testing"
import { ReplayClient } from "../test/support/ReplayClient.ts"

/** How a run is made. */
export interface KillOptions {
  readonly kills: number
  readonly seed: number
  readonly tell?: (line: string) => void
}

/** What a run came to. */
export interface KillReport {
  readonly kills: number
  readonly seed: number
  /** Clients that went on from where they were, and those that were told to begin again. */
  readonly continued: number
  readonly refetched: number
  /** What was wrong: rows that differ, or a log that makes no sense. */
  readonly findings: ReadonlyArray<string>
}

const cli = join(import.meta.dirname, "../src/cli.ts")
const token = "kill-token"

const seedScript = `
  create table items (id int primary key, n int, text text);
  create table members (user_id int, item_id int, primary key (user_id, item_id));
  insert into items select g, g % 10, repeat('x', 100) from generate_series(1, 15000) g;
  insert into members select g % 3, g from generate_series(1, 60) g;`

/** Shapes that are followed, and what Postgres says they hold. */
const shapes = [
  { query: { table: "items" }, where: "true" },
  { query: { table: "items", where: "n = 4" }, where: "n = 4" },
  {
    query: { table: "items", where: "id IN (SELECT item_id FROM members WHERE user_id = 1)" },
    where: "id in (select item_id from members where user_id = 1)",
  },
] as const

interface Running {
  readonly child: ChildProcess
  readonly url: string
}

const start = async (folder: string): Promise<Running> => {
  const seed = join(folder, "seed.sql")
  writeFileSync(seed, seedScript)
  const args = ["--port", "0", "--data-dir", join(folder, "data"), "--seed", seed, "--sql-token", token]
  const child = spawn(process.execPath, [cli, ...args, "--chunk-bytes", "200000"], {
    stdio: ["ignore", "pipe", "ignore"],
  })
  const [line] = (await once(child.stdout, "data")) as [Buffer]
  return { child, url: (JSON.parse(line.toString()) as { readonly url: string }).url }
}

/** Values of the one column a statement selects. */
const sql = async (url: string, text: string): Promise<ReadonlyArray<string>> => {
  const response = await fetch(`${url}/sql`, {
    method: "POST",
    headers: { "x-espalier-dev": token },
    body: JSON.stringify({ statements: [{ sql: text }] }),
  })
  const { results } = (await response.json()) as {
    readonly results: ReadonlyArray<{ readonly rows: ReadonlyArray<Record<string, string>> }>
  }
  return (results[0]?.rows ?? []).map((row) => String(Object.values(row)[0]))
}

const someWrite = (rng: Seeded): string => {
  const id = rng.between(1, 60)
  return rng.pick([
    `update items set n = (n + 1) % 10 where id % 500 = ${id}`,
    `update items set text = 'changed ${id}' where id = ${id}`,
    `delete from items where id = ${id}`,
    `insert into items values (${id}, ${id % 10}, 'again') on conflict do nothing`,
    `delete from members where item_id = ${id}`,
    `insert into members values (1, ${id}) on conflict do nothing`,
  ])
}

/** Writes and follows until the server is gone. Requests that break off are what a kill does. */
const useUntilGone = async (
  running: Running,
  rng: Seeded,
  clients: ReadonlyArray<ReplayClient>,
): Promise<void> => {
  let isGone = false
  void once(running.child, "exit").then(() => (isGone = true))
  const loop = async (work: () => Promise<unknown>): Promise<void> => {
    while (!isGone) {
      try {
        await work()
      } catch (error) {
        if (!(error instanceof TypeError) && !(error instanceof SyntaxError)) throw error
        // The connection broke: wait for the news that the process is gone, unless it only stumbled.
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
  }
  await Promise.all([
    loop(() => sql(running.url, someWrite(rng))),
    ...clients.map((client) => loop(() => client.request(false))),
  ])
}

/** Runs. */
export const killRun = async ({ kills, seed, tell }: KillOptions): Promise<KillReport> => {
  const folder = mkdtempSync(join(tmpdir(), "espalier-kills-"))
  const rng = seeded(seed)
  const findings: Array<string> = []
  let [continued, refetched] = [0, 0]
  let clients: ReadonlyArray<ReplayClient> | null = null
  try {
    for (let life = 0; life <= kills && findings.length === 0; life += 1) {
      const running = await start(folder)
      clients = shapes.map(({ query }, index) => {
        const before: ReplayClient | undefined = clients?.[index]
        return before === undefined
          ? new ReplayClient(running.url, query)
          : before.movedTo(running.url, query)
      })
      const isLast = life === kills
      if (life > 0) {
        for (const [index, client] of clients.entries()) {
          const finding = await compare(running.url, client, shapes[index]?.where ?? "true")
          if (finding !== null) findings.push(`life ${life}, shape ${index}: ${finding}`)
          if (client.refetches === 0) continued += 1
          else refetched += 1
        }
        tell?.(`life ${life}: ${continued} went on, ${refetched} began again, ${findings.length} findings`)
      }
      if (!isLast) setTimeout(() => running.child.kill("SIGKILL"), rng.between(1, 1_500))
      else running.child.kill("SIGTERM")
      if (isLast) await once(running.child, "exit")
      else await useUntilGone(running, rng, clients)
    }
  } catch (error) {
    findings.push(String(error))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return { kills, seed, continued, refetched, findings }
}

/** How the rows of a client that caught up differ from the database's; `null` for not at all. */
const compare = async (url: string, client: ReplayClient, where: string): Promise<string | null> => {
  await client.catchUp()
  const expected = await sql(url, `select concat_ws('|', id, n, text) from items where ${where}`)
  const held = client.values.map((row) => [row["id"], row["n"], row["text"]].join("|"))
  const [heldSet, expectedSet] = [new Set(held), new Set(expected)]
  const missing = expected.filter((row) => !heldSet.has(row))
  const extra = held.filter((row) => !expectedSet.has(row))
  return missing.length + extra.length === 0
    ? null
    : `missing ${JSON.stringify(missing.slice(0, 3))} (${missing.length}), extra ${JSON.stringify(extra.slice(0, 3))} (${extra.length})`
}

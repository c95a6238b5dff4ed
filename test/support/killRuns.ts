/**
 * Processes that are really killed: a child syncs from the embedded server into a data directory while the server's rows change
 * all the time, and gets SIGKILL at a random moment. What it leaves is opened and judged as it is, then resumed until it equals
 * the server. Used by `pnpm torture kill` and, for a few kills, by the tests.
 */
import { fork } from "node:child_process"
import { cpSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { PGlite } from "@electric-sql/pglite"
import assert from "node:assert/strict"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Engine, LocalStore } from "@espalier/engine"
import type { EngineStatus, JournalEntry } from "@espalier/engine/protocol"
import { PgliteLocalStore } from "@espalier/engine/pglite"
import { graph } from "../../packages/engine/examples/workspaces.graph.ts"
import { type Seeded, seeded } from "@espalier/engine/testing"
import { eventually, localEngine, NotYet } from "./localEngine.ts"
import { amara, company, local, mei, seededDatabase, serve, tables, truth } from "./world.ts"

export interface KillOptions {
  readonly kills: number
  readonly seed: number
  readonly log?: (line: string) => void
}

export interface KillReport {
  readonly kills: number
  /** Kills of a process whose directory was new. */
  readonly fromEmpty: number
  /** Kills that left some instance without a complete set of rows. */
  readonly unfinished: number
  /** Transactions of the server while processes ran. */
  readonly writes: number
}

/** Longest life of a process after it has opened its store. */
const longestLifeMillis = 700

/** Rows that were ever the user's, by table: nothing else may be visible, at no time. */
type Ever = ReadonlyMap<string, Set<string>>

interface Runs {
  readonly db: PGlite
  readonly url: string
  readonly random: Seeded
  readonly ever: Ever
  writes: number
}

const victim = fileURLToPath(new URL("killVictim.ts", import.meta.url))

/** Many folders, so that a first snapshot takes a while. */
const folders = 1_200

const bulk = `insert into folders (workspace_id, name, position)
  select (select id from workspaces where company_id = $1 order by id limit 1), 'bulk ' || g, g from generate_series(1, ${folders}) g`

/** One random transaction of the server. */
const statement = ({ random }: Runs): readonly [sql: string, ...params: ReadonlyArray<string>] => {
  const a = company(1 + random.below(4))
  const b = company(1 + random.below(4))
  const own = "select id from workspaces where company_id = $1 order by random() limit 1"
  const choices = [
    [`update companies set name = name || '.' where id = $1`, a],
    [`update folders set name = name || '!' where position % 7 = 3 and workspace_id in (${own})`, a],
    [`delete from folders where id in (select id from folders where workspace_id in (${own}) limit 3)`, a],
    [`insert into folders (workspace_id, name, position) select id, 'new', 3 from (${own}) w`, a],
    [
      `update folders set workspace_id = w.id from (select id from workspaces where company_id = $2 limit 1) w
      where folders.id = (select id from folders where workspace_id in (${own}) order by random() limit 1)`,
      a,
      b,
    ],
    [`insert into company_members (company_id, user_id) values ($1, $2) on conflict do nothing`, a, amara],
    [`delete from company_members where company_id = $1 and user_id = $2`, a, amara],
    [`insert into company_members (company_id, user_id) values ($1, $2) on conflict do nothing`, a, mei],
    [
      `update company_members set role = case role when 'admin' then 'member' else 'admin' end where company_id = $1`,
      a,
    ],
    [
      `update users set name = name || '+' where id in (select user_id from company_members where company_id = $1)`,
      a,
    ],
  ] as const
  // A truncation voids every handle of its table.
  return random.chance(0.02) ? ["truncate user_group_members"] : random.pick(choices)
}

const remember = Effect.fnUntraced(function* ({ db, ever }: Runs) {
  const rows = yield* truth(db, amara)
  for (const table of tables) for (const line of rows[table] ?? []) ever.get(table)?.add(line)
})

const write = Effect.fnUntraced(function* (runs: Runs) {
  const [sql, ...params] = statement(runs)
  yield* Effect.promise(() => runs.db.query(sql, [...params]))
  runs.writes += 1
  yield* remember(runs)
})

/** Runs a child on the directory and kills it. Fails when it dies by itself. */
const killOne = Effect.fnUntraced(function* (runs: Runs, directory: string) {
  const child = fork(victim, [directory, runs.url, amara], { stdio: ["ignore", "ignore", "inherit", "ipc"] })
  const exited = new Promise<NodeJS.Signals | null>((resolve) => child.once("exit", (_, by) => resolve(by)))
  const opened = new Promise<boolean>((resolve) => {
    child.once("message", () => resolve(true))
    child.once("exit", () => resolve(false))
  })
  const writer = yield* Effect.forkChild(
    Effect.forever(Effect.andThen(write(runs), Effect.sleep("5 millis"))),
  )
  // A tenth of the processes dies while it opens its database.
  const life = runs.random.below(longestLifeMillis)
  if (runs.random.chance(0.1)) yield* Effect.sleep(300 + life)
  else {
    yield* Effect.promise(() => opened)
    yield* Effect.sleep(life)
  }
  child.kill("SIGKILL")
  const signal = yield* Effect.promise(() => exited)
  yield* Fiber.interrupt(writer)
  if (signal !== "SIGKILL") return yield* Effect.fail(new Error("the process ended before it was killed"))
})

/** What a kill left, before anything goes on: whole rows that were the user's, each held by somebody, and counted right. */
const judge = Effect.fnUntraced(function* (runs: Runs, pglite: PGlite) {
  const store = yield* PgliteLocalStore.make({ pglite, graph })
  const instances = yield* store.instances
  const shown = yield* local(pglite)
  for (const table of tables) {
    const held = new Set<string>()
    for (const instance of instances.filter((one) => one.table === table)) {
      const keys = yield* store.heldKeys(instance.key)
      assert.strictEqual(instance.rows, keys.length, `rows of ${instance.key}`)
      for (const [id] of keys) held.add(id ?? "")
    }
    const lines = shown[table] ?? []
    const ids = lines.map((line) => String((JSON.parse(line) as { readonly id: string }).id))
    assert.deepStrictEqual(ids.toSorted(), [...held].sort(), `rows of ${table} are those somebody holds`)
    assert.deepStrictEqual(
      lines.filter((line) => runs.ever.get(table)?.has(line) !== true),
      [],
      `${table} shows what never was`,
    )
  }
  return instances.some(({ checkpoint, complete }) => !complete || checkpoint === null)
})

/** What an engine that is not live is at. */
const report = (status: EngineStatus, journal: ReadonlyArray<JournalEntry>): string =>
  [
    `state is ${status.state}, ${JSON.stringify(status.connections)}`,
    ...Object.values(status.instances).map(
      ({ attempt, error, key, requests, slot, state }) =>
        `  ${key}: ${state}, attempt ${attempt}, ${requests} requests, slot ${slot}, ${error?.message ?? "no error"}`,
    ),
    ...journal.slice(-30).map(({ at, detail, event, key }) => `  ${at} ${key ?? ""} ${event} ${detail}`),
  ].join("\n")

/** Longest wait for the server's state: on a busy machine the server is behind its own writes for a while. */
const resumeBoundMillis = 60_000

const resume = (runs: Runs, pglite: PGlite) =>
  eventually(
    Effect.gen(function* () {
      const engine = yield* Engine
      const status = yield* engine.status
      if (status.state !== "live") throw new NotYet(report(status, yield* engine.journal))
      const here = yield* local(pglite)
      const there = yield* truth(runs.db, amara)
      for (const table of tables) assert.deepStrictEqual(here[table], there[table], table)
      assert.ok((yield* Effect.orDie((yield* LocalStore).instances)).length > 0)
    }),
    resumeBoundMillis,
  ).pipe(
    Effect.provide(
      localEngine({
        pglite,
        graph,
        params: { userId: amara },
        url: runs.url,
        config: { maxConnections: 16 },
      }),
    ),
    Effect.scoped,
  )

const afterKill = (runs: Runs, directory: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const pglite = yield* Effect.acquireRelease(
        Effect.promise(() => PGlite.create(directory)),
        (opened) => Effect.promise(() => opened.close()),
      )
      const unfinished = yield* judge(runs, pglite)
      yield* resume(runs, pglite)
      return unfinished
    }),
  )

/** Kills so many processes. Fails with the first difference, which names the kill. */
export const killRuns = (options: KillOptions): Effect.Effect<KillReport, unknown> =>
  Effect.scoped(
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "espalier-kill-"))),
        (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true })),
      )
      const template = join(folder, "template")
      yield* Effect.promise(async () => (await PGlite.create(template)).close())
      const db = yield* seededDatabase
      for (const n of [1, 2]) yield* Effect.promise(() => db.query(bulk, [company(n)]))
      const { url } = yield* serve(db)
      const random = seeded(options.seed)
      const runs: Runs = {
        db,
        url,
        random,
        ever: new Map(tables.map((table) => [table, new Set()])),
        writes: 0,
      }
      yield* remember(runs)
      const directory = join(folder, "data")
      let [fromEmpty, unfinished] = [0, 0]
      for (let kill = 0; kill < options.kills; kill++) {
        if (kill === 0 || random.chance(0.3)) {
          rmSync(directory, { recursive: true, force: true })
          cpSync(template, directory, { recursive: true })
          fromEmpty += 1
        }
        const left = yield* Effect.andThen(killOne(runs, directory), afterKill(runs, directory)).pipe(
          Effect.sandbox,
          Effect.mapError(
            (cause) => new Error(`seed ${options.seed}, kill ${kill}: ${String(cause)}`, { cause }),
          ),
        )
        if (left) unfinished += 1
        if (kill % 10 === 9) options.log?.(`${kill + 1} kills, ${runs.writes} writes`)
      }
      return { kills: options.kills, fromEmpty, unfinished, writes: runs.writes }
    }),
  )

/**
 * A whole host under test: the seeded database behind a dev-server, the site that serves page and bundle, and what pages are asked to
 * do. Browsers are the caller's. Used by the long kill runs and the benchmark.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { PGlite } from "@electric-sql/pglite"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { BrowserContext, Page } from "playwright-core"
import { amara, company, seededDatabase, serve, tables, truth } from "../../../../test/support/world.ts"
import { bundleWorker } from "../../build/bundle.ts"
import type { EngineClientSettings } from "../../src/client/index.ts"
// For what the page adds to `window`.
import type {} from "./page.ts"
import { startSite, type SiteServer } from "./siteServer.ts"

export type Rows = Readonly<Record<string, ReadonlyArray<string>>>

export interface RigOptions {
  /** Folders added to each of the user's companies. */
  readonly folders: number
  /** Bytes of JSON that close a chunk of the server. */
  readonly chunkBytes: number
}

export interface HostRig {
  readonly db: PGlite
  readonly site: SiteServer
  /** The rows the user may hold now. */
  readonly expected: () => Promise<Rows>
  readonly close: () => Promise<void>
}

const bulk = `insert into folders (workspace_id, name, position)
  select (select id from workspaces where company_id = $1 order by id limit 1), 'bulk ' || g, g from generate_series(1, $2::int) g`

export const openHostRig = async (options: RigOptions): Promise<HostRig> => {
  const scope = await Effect.runPromise(Scope.make())
  const bundleDir = mkdtempSync(join(tmpdir(), "espalier-rig-"))
  await bundleWorker({ outdir: bundleDir, measure: false })
  const { db, url } = await Effect.runPromise(
    Scope.provide(
      Effect.gen(function* () {
        const seeded = yield* seededDatabase
        for (const n of [1, 2]) yield* Effect.promise(() => seeded.query(bulk, [company(n), options.folders]))
        return { db: seeded, url: (yield* serve(seeded, { chunkBytes: options.chunkBytes })).url }
      }),
      scope,
    ),
  )
  const site = await startSite({ bundleDir, shapesUrl: `${url}/v1/shape` })
  return {
    db,
    site,
    expected: () => Effect.runPromise(truth(db, amara)),
    close: async () => {
      await site.close()
      await Effect.runPromise(Scope.close(scope, Exit.void))
      rmSync(bundleDir, { recursive: true, force: true })
    },
  }
}

/** Opens a page and starts its client; `id` names its worker to the site. */
export const openTab = async (
  rig: HostRig,
  context: BrowserContext,
  id: string,
  change: Partial<Omit<EngineClientSettings, "graph">> = {},
): Promise<Page> => {
  const page = await context.newPage()
  await page.goto(`${rig.site.url}/`)
  await page.waitForFunction(() => window.testPage !== undefined)
  await page.evaluate((settings) => window.testPage.start(settings), {
    name: "w",
    dataDir: "idb://w",
    params: { userId: amara },
    source: { kind: "electric" as const, url: "/v1/shape" },
    workerUrl: `/workers/pglite.bundle.js?tab=${id}`,
    ...change,
  })
  return page
}

/** Resolves in phase `ready`; rejects with the message of `failed`. */
export const untilReady = (page: Page, timeout: number): Promise<unknown> =>
  page.waitForFunction(
    () => {
      const phase = window.testPage.client?.phase
      if (phase?.phase === "failed") throw new Error(phase.message)
      return phase?.phase === "ready"
    },
    undefined,
    { timeout, polling: 20 },
  )

export const untilLive = (page: Page, timeout: number): Promise<unknown> =>
  page.waitForFunction(() => window.testPage.client?.status?.state === "live", undefined, {
    timeout,
    polling: 20,
  })

/** Every row of the graph's tables, as lines of JSON that can be compared with the server's. */
export const rowsOf = async (page: Page): Promise<Rows> => {
  const found: Record<string, ReadonlyArray<string>> = {}
  for (const table of tables) {
    const answer = await page.evaluate(
      (sql) => window.testPage.client!.query<{ readonly row: object }>(sql),
      `select to_jsonb(t) as row from "${table}" t`,
    )
    found[table] = answer
      .map(({ row }) =>
        JSON.stringify(Object.fromEntries(Object.entries(row).toSorted(([a], [b]) => (a < b ? -1 : 1)))),
      )
      .toSorted()
  }
  return found
}

/** Waits until the page shows exactly the server's rows. Rejects with the first table that differs. */
export const untilEqual = async (rig: HostRig, page: Page, timeout: number): Promise<void> => {
  const until = performance.now() + timeout
  for (;;) {
    const here = await rowsOf(page)
    const there = await rig.expected()
    const different = tables.find((table) => JSON.stringify(here[table]) !== JSON.stringify(there[table]))
    if (different === undefined) return
    if (performance.now() > until) {
      const state = await page.evaluate(() => JSON.stringify(window.testPage.client?.status))
      throw new Error(
        `${different} differs after ${timeout} ms: ${here[different]?.length} rows here, ${there[different]?.length} there; ${state}`,
      )
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

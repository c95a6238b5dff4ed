/** The host in a real browser: real bundle, real PGlite on IndexedDB, the demo graph behind a dev-server. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { PGlite } from "@electric-sql/pglite"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Browser, BrowserContext, Page } from "playwright-core"
import { afterAll, afterEach, assert, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { amara, company, mei, seededDatabase, serve, tables, truth } from "../../../test/support/world.ts"
import { bundleWorker } from "../build/bundle.ts"
import type { EngineClientSettings } from "../src/client/index.ts"
import type { EngineCalls, HostPhase } from "../src/contract.ts"
import { launchChromium } from "./support/browser.ts"
import { startSite, type SiteServer } from "./support/siteServer.ts"

/** Bounds of waits. Generous: a first start creates a database, on machines that are slow and busy. */
const within = { start: 90_000, sync: 45_000, handover: 60_000 } as const

interface Tab {
  readonly page: Page
  readonly id: string
  readonly errors: ReadonlyArray<string>
}

describe("the host in Chromium", () => {
  let scope: Scope.Closeable
  let db: PGlite
  let site: SiteServer
  let browser: Browser
  let context: BrowserContext
  let bundleDir: string
  /** Measured on the way, printed at the end. */
  const seconds = new Map<string, number>()
  const timed = async <Value>(what: string, work: Promise<Value>): Promise<Value> => {
    const from = performance.now()
    const value = await work
    seconds.set(what, Math.round((performance.now() - from) / 10) / 100)
    return value
  }

  beforeAll(async () => {
    scope = await Effect.runPromise(Scope.make())
    bundleDir = mkdtempSync(join(tmpdir(), "espalier-bundle-"))
    await bundleWorker({ outdir: bundleDir, measure: false })
    const { database, server } = await Effect.runPromise(
      Scope.provide(
        Effect.gen(function* () {
          const seeded = yield* seededDatabase
          return { database: seeded, server: yield* serve(seeded) }
        }),
        scope,
      ),
    )
    db = database
    site = await startSite({ bundleDir, shapesUrl: `${server.url}/v1/shape` })
    browser = await launchChromium()
  })
  afterAll(async () => {
    process.stdout.write(`host in Chromium, seconds: ${JSON.stringify(Object.fromEntries(seconds))}\n`)
    await browser?.close()
    await site?.close()
    await Effect.runPromise(Scope.close(scope, Exit.void))
    rmSync(bundleDir, { recursive: true, force: true })
  })
  beforeEach(async () => {
    site.setShapesUp(true)
    site.forgetRequests()
    context = await browser.newContext()
  })
  afterEach(() => context.close())

  const open = async (id: string, path = "/"): Promise<Tab> => {
    const page = await context.newPage()
    const errors: Array<string> = []
    page.on("pageerror", (error) => errors.push(`${error.message} ${error.stack ?? ""}`))
    page.on("console", (message) => {
      if (message.type() === "error" && !/Failed to load resource/.test(message.text())) {
        errors.push(`${message.text()} at ${message.location().url}:${message.location().columnNumber}`)
      }
    })
    await page.goto(site.url + path)
    await page.waitForFunction(() => window.testPage !== undefined)
    return { page, id, errors }
  }
  type Change = Partial<Omit<EngineClientSettings, "graph">> & { readonly graph?: unknown }
  const start = (tab: Tab, change: Change = {}): Promise<void> =>
    tab.page.evaluate((settings) => window.testPage.start(settings), {
      name: "w",
      dataDir: "idb://w",
      params: { userId: amara },
      source: { kind: "electric" as const, url: "/v1/shape" },
      workerUrl: `/workers/pglite.bundle.js?tab=${tab.id}`,
      ...change,
    })
  const phase = ({ page }: Tab): Promise<HostPhase | undefined> =>
    page.evaluate(() => window.testPage.client?.phase)
  const untilReady = (tab: Tab): Promise<void> =>
    expect.poll(() => phase(tab), { timeout: within.start, interval: 100 }).toEqual({ phase: "ready" })
  const untilFailed = (tab: Tab): Promise<void> =>
    expect
      .poll(async () => (await phase(tab))?.phase, { timeout: within.start, interval: 100 })
      .toBe("failed")
  const state = ({ page }: Tab): Promise<string | undefined> =>
    page.evaluate(() => window.testPage.client?.status?.state)
  const untilLive = (tab: Tab): Promise<void> =>
    expect.poll(() => state(tab), { timeout: within.sync, interval: 100 }).toBe("live")
  const openReady = async (id: string, change: Change = {}): Promise<Tab> => {
    const tab = await open(id)
    await start(tab, change)
    await untilReady(tab)
    return tab
  }
  const query = ({ page }: Tab, sql: string): Promise<ReadonlyArray<Record<string, unknown>>> =>
    page.evaluate((text) => window.testPage.client!.query(text), sql)
  const rows = async (tab: Tab): Promise<Record<string, ReadonlyArray<string>>> => {
    const found: Record<string, ReadonlyArray<string>> = {}
    for (const table of tables) {
      const answer = await query(tab, `select to_jsonb(t) as row from "${table}" t`)
      found[table] = answer
        .map(({ row }) =>
          JSON.stringify(
            Object.fromEntries(Object.entries(row as object).toSorted(([a], [b]) => (a < b ? -1 : 1))),
          ),
        )
        .toSorted()
    }
    return found
  }
  const call = ({ page }: Tab, name: keyof EngineCalls, ...args: ReadonlyArray<unknown>): Promise<unknown> =>
    page.evaluate(([command, values]) => window.testPage.client!.call(command, ...(values as [never])), [
      name,
      args,
    ] as const)
  const leases = ({ page }: Tab, key: string): Promise<number | undefined> =>
    page.evaluate((wanted) => window.testPage.client?.status?.instances[wanted]?.leases, key)
  const acquire = ({ page }: Tab, node: string): Promise<void> =>
    page.evaluate((wanted) => void window.testPage.client!.acquire({ node: wanted }), node)
  const isLeader = ({ page }: Tab): Promise<boolean | undefined> =>
    page.evaluate(() => window.testPage.client?.isLeader)
  const expected = () => Effect.runPromise(truth(db, amara))

  it("loads the prepared directory for a new database only, and does without when it cannot be had", async () => {
    const asked: Array<string> = []
    context.on("request", (request) => {
      if (request.url().endsWith("/pglite.prepared.tar.gz")) asked.push(request.url())
    })
    const tab = await openReady("a")
    assert.lengthOf(asked, 1)
    await tab.page.reload()
    await tab.page.waitForFunction(() => window.testPage !== undefined)
    await start(tab)
    await untilReady(tab)
    assert.lengthOf(asked, 1, "the database was there")
    await context.route("**/pglite.prepared.tar.gz", (route) => route.abort())
    const other = await open("b")
    await start(other, { name: "from-scratch", dataDir: "idb://from-scratch" })
    await timed("first start to ready, without the prepared directory", untilReady(other))
    assert.lengthOf(asked, 2)
    assert.deepEqual(await query(other, "select 1 as one"), [{ one: 1 }])
  })

  it("starts, holds the user's rows, follows a change, and shows them again after a reload without the server", async () => {
    const tab = await timed("first start to ready", openReady("a"))
    await timed("ready to live", untilLive(tab))
    assert.deepEqual(await rows(tab), await expected())
    assert.isTrue(await isLeader(tab))
    const phases = await tab.page.evaluate(() => window.testPage.phases)
    assert.deepEqual(phases.at(-1), { phase: "ready" })
    // A commit notice comes when the change is stored: from then on a reload must find it.
    const noticed = tab.page.evaluate(
      (id) =>
        new Promise<void>((resolve, reject) => {
          const client = window.testPage.client!
          client.onCommit(() => {
            client
              .query<{ name: string }>("select name from companies where id = $1", [id])
              .then((found) => {
                if (found[0]?.name.endsWith(" Ltd") === true) resolve()
              })
              .catch(reject)
          })
        }),
      company(1),
    )
    await db.query("update companies set name = name || ' Ltd' where id = $1", [company(1)])
    await timed("server change to commit notice", noticed)
    assert.deepEqual(tab.errors, [])
    const before = await expected()
    site.setShapesUp(false)
    await tab.page.reload()
    await tab.page.waitForFunction(() => window.testPage !== undefined)
    await start(tab)
    await timed("start after reload", untilReady(tab))
    assert.deepEqual(await rows(tab), before)
  })

  it("shares one engine between two tabs: same rows, and only the leader's worker asks the server", async () => {
    const first = await openReady("a")
    await untilLive(first)
    const second = await timed("second tab to ready", openReady("b"))
    await untilLive(second)
    assert.deepEqual(await rows(second), await expected())
    assert.isTrue(await isLeader(first))
    assert.isFalse(await isLeader(second))
    assert.deepEqual([...site.shapeRequests.keys()], ["a"])
    assert.deepEqual(second.errors, [])
  })

  it("hands over when the leader's tab is closed: reads, commands, leases and live rows go on in the other", async () => {
    const first = await openReady("a")
    await untilLive(first)
    const second = await openReady("b")
    await acquire(second, "folders")
    const key = `company-${company(1)}-folders`
    await expect.poll(() => leases(second, key), { timeout: within.sync }).toBe(1)
    const seen = second.page.evaluate(
      () =>
        new Promise<ReadonlyArray<string>>((resolve) => {
          window.testPage.client!.onCommit(({ tables: changed }) => {
            if (changed.length === 8) resolve(changed)
          })
        }),
    )
    // Reads are made all the time while the leader goes; each must end with rows.
    const reads = second.page.evaluate(async () => {
      const counts: Array<number> = []
      const client = window.testPage.client!
      while (!client.isLeader || client.phase.phase !== "ready") {
        counts.push((await client.query("select id from companies")).length)
        if (counts.length > 20_000) break
      }
      return counts
    })
    await first.page.close()
    const answer = call(second, "refetch", key)
    const counts = await timed("leader closed to next ready", reads)
    assert.isTrue(await isLeader(second))
    assert.deepEqual([...new Set(counts)], [(await expected())["companies"]?.length])
    assert.isBoolean(await answer)
    assert.equal((await seen).length, 8)
    await expect.poll(() => leases(second, key), { timeout: within.sync }).toBe(1)
    await untilLive(second)
    await db.query("update companies set name = name || '!' where id = $1", [company(1)])
    await expect.poll(() => rows(second), { timeout: within.sync }).toEqual(await expected())
    assert.isTrue(site.shapeRequests.has("b"))
  })

  it("ends the leases of a tab that is closed, and leaves no row after a wipe", async () => {
    const first = await openReady("a")
    await untilLive(first)
    const second = await openReady("b")
    await acquire(first, "folders")
    await acquire(second, "folders")
    const key = `company-${company(1)}-folders`
    await expect.poll(() => leases(first, key), { timeout: within.sync }).toBe(2)
    await second.page.close()
    await expect.poll(() => leases(first, key), { timeout: within.sync }).toBe(1)
    assert.isTrue(await call(first, "wipe"))
    const left = Object.values(await rows(first)).flat()
    assert.deepEqual(left, [])
  })

  it("closes: the phase says so, open commands end by name, and the next client of the page finds the data", async () => {
    const tab = await openReady("a")
    await untilLive(tab)
    const outcome = await tab.page.evaluate(async () => {
      const client = window.testPage.client!
      const pending = client.call("journal").catch((error: Error) => error.name)
      await client.close()
      await client.close()
      const refused = await client.query("select 1").catch((error: Error) => error.name)
      return { pending: await pending, refused, phase: client.phase.phase }
    })
    assert.deepEqual(outcome, { pending: "ClientClosed", refused: "ClientClosed", phase: "closed" })
    await start(tab)
    await untilReady(tab)
    await untilLive(tab)
    assert.deepEqual(await rows(tab), await expected())
  })

  it("says that the bundle is missing, and how to build it", async () => {
    const missing = await open("a")
    await start(missing, { workerUrl: "/workers/nowhere.js" })
    await untilFailed(missing)
    assert.match(
      JSON.stringify(await phase(missing)),
      /workers\/nowhere\.js did not start: the server answered 404.*build:worker/,
    )
    const html = await open("b")
    await start(html, { workerUrl: "/elsewhere/pglite.bundle.js" })
    await untilFailed(html)
    assert.match(JSON.stringify(await phase(html)), /answered with text\/html instead of JavaScript/)
    const refusal = await html.page.evaluate(() =>
      window.testPage.client!.query("select 1").catch((error: Error) => error.name),
    )
    assert.equal(refusal, "HostFailed")
    const closedPort = await open("c")
    await start(closedPort, { workerUrl: "http://127.0.0.1:1/pglite.bundle.js" })
    await untilFailed(closedPort)
    assert.match(JSON.stringify(await phase(closedPort)), /127\.0\.0\.1:1\/pglite\.bundle\.js/)
  })

  it("says what is wrong with a graph, a setting and a database, each by name", async () => {
    const graph = await open("a")
    await start(graph, {
      dataDir: "memory://",
      graph: { name: "broken", params: {}, tables: {}, nodes: { n: { id: "n" } } },
    })
    await untilFailed(graph)
    assert.match(JSON.stringify(await phase(graph)), /graph handed to the worker is not valid/)
    const setting = await open("b")
    await start(setting, { name: "s", dataDir: "memory://", config: { maxConections: 2 } })
    await untilFailed(setting)
    assert.match(JSON.stringify(await phase(setting)), /maxConections/)
    const database = await open("c")
    // A directory of this name left by a newer version: IndexedDB refuses to open it with an older one.
    await database.page.evaluate(
      () =>
        new Promise<void>((resolve, reject) => {
          const request = indexedDB.open("/pglite/d", 9_999)
          request.addEventListener("error", () => reject(request.error))
          request.addEventListener("success", () => {
            request.result.close()
            resolve()
          })
        }),
    )
    await start(database, { name: "d", dataDir: "idb://d" })
    await untilFailed(database)
    assert.match(JSON.stringify(await phase(database)), /database idb:\/\/d did not open/)
  })

  it("keeps rows in memory where storage is blocked, says so in every tab, and writes nothing that lasts", async () => {
    writeFileSync(
      join(bundleDir, "blocked.bundle.js"),
      `IDBFactory.prototype.open = () => { throw new DOMException("storage is blocked", "SecurityError") }
      navigator.storage.getDirectory = () => Promise.reject(new DOMException("storage is blocked", "SecurityError"))
      await import("./pglite.bundle.js")`,
    )
    const workerUrl = "/workers/blocked.bundle.js"
    const tab = await openReady("a", { dataDir: "auto://blocked", workerUrl })
    await untilLive(tab)
    assert.deepEqual(await rows(tab), await expected())
    const second = await openReady("b", { dataDir: "auto://blocked", workerUrl })
    for (const { page } of [tab, second]) {
      const storage = await page.evaluate(() => window.testPage.client?.storage)
      assert.deepInclude(storage, { backend: "memory", evictions: [] })
      assert.match(
        storage?.reason ?? "",
        /IndexedDB cannot be used: SecurityError.*file system cannot be used: SecurityError.*in memory/,
      )
    }
    const kept = await tab.page.evaluate(async () =>
      (await indexedDB.databases()).map((database) => database.name),
    )
    assert.notInclude(kept, "/pglite/blocked")
    // Another tab's leader starts from nothing, and says the same.
    await tab.page.close()
    await untilReady(second)
    await expect.poll(() => isLeader(second), { timeout: within.handover }).toBe(true)
    await untilLive(second)
    await expect.poll(() => rows(second), { timeout: within.sync }).toEqual(await expected())
  })

  it("tells how full the origin's storage is, and whether the browser keeps it", async () => {
    const tab = await open("a")
    const session = await context.newCDPSession(tab.page)
    await session.send("Storage.overrideQuotaForOrigin", { origin: site.url, quotaSize: 100_000_000 })
    await start(tab, { dataDir: "auto://w" })
    const seen = () => tab.page.evaluate(() => window.testPage.client?.storage)
    await expect.poll(async () => (await seen())?.quotaBytes, { timeout: within.start }).toBe(100_000_000)
    await untilReady(tab)
    assert.deepInclude(await seen(), { backend: "idb", level: "ok" })
    assert.isBoolean((await seen())?.persisted)
  })

  it("refuses another user under the same name, and another name on the same directory", async () => {
    const first = await openReady("a")
    await untilLive(first)
    const other = await open("b")
    await start(other, { params: { userId: mei } })
    await untilFailed(other)
    assert.match(JSON.stringify(await phase(other)), /different graph, user/)
    const refusal = await other.page.evaluate(() =>
      window.testPage.client!.query("select * from users").catch((error: Error) => error.name),
    )
    assert.equal(refusal, "HostFailed")
    const clash = await open("c")
    await start(clash, { name: "another" })
    await untilFailed(clash)
    assert.match(JSON.stringify(await phase(clash)), /open under another name/)
    assert.deepEqual(await phase(first), { phase: "ready" })
  })

  it("notices that the browser is offline, and that it is online again", async () => {
    const tab = await openReady("a")
    await untilLive(tab)
    await context.setOffline(true)
    await expect.poll(() => state(tab), { timeout: within.sync }).toBe("offline")
    await context.setOffline(false)
    await untilLive(tab)
    await db.query("update companies set name = name || '?' where id = $1", [company(1)])
    await expect.poll(() => rows(tab), { timeout: within.sync }).toEqual(await expected())
  })
})

/**
 * Ends the leader again and again while the server's rows change: its tab is closed, its worker is terminated from outside, or its page
 * crashes. Two to five tabs share the engine; the others read and call all the time. After each kill every tab must show the server's
 * rows, every read and call must have ended, and the server must never have seen two engines ask at once. Used by `pnpm torture leaders`.
 */
import type { BrowserContext, Page } from "playwright-core"
import { company } from "../../../../test/support/world.ts"
import { seeded, type Seeded } from "@espalier/engine/testing"
import { launchChromium } from "./browser.ts"
import { type HostRig, openHostRig, openTab, untilEqual, untilLive, untilReady } from "./hostRig.ts"

export interface LeaderKillOptions {
  readonly kills: number
  readonly seed: number
  readonly log?: (line: string) => void
}

export type Way = "close" | "terminate" | "crash"

export interface LeaderKillReport {
  readonly kills: number
  readonly ways: Readonly<Record<Way, number>>
  /** Reads and calls of the surviving tabs that were under way or made during a hand-over; all ended. */
  readonly reads: number
  readonly calls: number
  /** Calls that ended with a named error instead of an answer. */
  readonly refusedCalls: number
  /** Moments at which the server saw two workers ask. Zero, or the run fails. */
  readonly overlaps: number
  readonly handOverMedianMillis: number
  readonly handOverP95Millis: number
}

const bounds = { start: 90_000, sync: 90_000 } as const
const ways: ReadonlyArray<Way> = ["close", "terminate", "crash"]

interface Tab {
  readonly id: string
  readonly page: Page
}

const write = (rig: HostRig, random: Seeded): Promise<unknown> => {
  const a = company(1 + random.below(2))
  const own = "select id from workspaces where company_id = $1 order by id limit 1"
  const [sql, ...params] = random.pick([
    [`update companies set name = name || '.' where id = $1`, a],
    [`delete from folders where id in (select id from folders where workspace_id in (${own}) limit 2)`, a],
    [`insert into folders (workspace_id, name, position) select id, 'new', 3 from (${own}) w`, a],
  ] as const)
  return rig.db.query(sql, [...params])
}

const keepWriting = (rig: HostRig, random: Seeded) => {
  let running = true
  const done = (async () => {
    while (running) {
      await write(rig, random)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  })()
  return async (): Promise<void> => {
    running = false
    await done
  }
}

const isLeader = ({ page }: Tab): Promise<boolean> =>
  page.evaluate(() => window.testPage.client?.isLeader === true)

const leaderOf = async (tabs: ReadonlyArray<Tab>): Promise<Tab> => {
  for (;;) {
    for (const tab of tabs) if (await isLeader(tab)) return tab
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Reads and calls without a pause until told to stop; resolves with how many ended how. A hang fails by its bound. */
const startLoad = ({ page }: Tab): Promise<unknown> =>
  page.evaluate(() => {
    const client = window.testPage.client!
    const counts = { reads: 0, calls: 0, refused: 0, empty: 0 }
    const state = { running: true }
    const read = async (): Promise<void> => {
      while (state.running) {
        const rows = await client.query("select id from companies")
        counts.reads += 1
        if (rows.length === 0) counts.empty += 1
      }
    }
    const call = async (): Promise<void> => {
      while (state.running) {
        await client.call("journal").catch((error: Error) => {
          if (!["CallFailed", "HostUnavailable"].includes(error.name)) throw error
          counts.refused += 1
        })
        counts.calls += 1
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
    const done = Promise.all([read(), call()])
    Object.assign(window, {
      stopLoad: async () => {
        state.running = false
        await done
        return counts
      },
    })
  })

interface Counts {
  readonly reads: number
  readonly calls: number
  readonly refused: number
  readonly empty: number
}

const stopLoad = ({ page }: Tab): Promise<Counts> =>
  page.evaluate(() => (window as unknown as { readonly stopLoad: () => Promise<Counts> }).stopLoad())

/** Ends the worker behind the client's back, as a crash of its thread would: the client hears nothing of it. */
const terminateWorker = (page: Page): Promise<void> =>
  page.evaluate(() => {
    for (const worker of window.testPage.workers) worker.terminate()
  })

const end = async ({ page }: Tab, way: Way): Promise<void> => {
  if (way === "close") return page.close()
  if (way === "terminate") return terminateWorker(page)
  const session = await page.context().newCDPSession(page)
  const crashed = new Promise<void>((resolve) => page.once("crash", () => resolve()))
  // The answer never comes: the page is gone.
  session.send("Page.crash").catch(() => undefined)
  await crashed
}

const percentile = (values: ReadonlyArray<number>, share: number): number => {
  const sorted = [...values].sort((left, right) => left - right)
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN)
}

/** One kill among tabs that are live. Returns how long the others had no leader that was ready. */
const killOne = async (
  tabs: ReadonlyArray<Tab>,
  way: Way,
): Promise<{
  readonly millis: number
  readonly rest: ReadonlyArray<Tab>
  readonly counts: ReadonlyArray<Counts>
}> => {
  const leader = await leaderOf(tabs)
  const rest = tabs.filter((tab) => tab !== leader)
  await Promise.all(rest.map(startLoad))
  const from = performance.now()
  await end(leader, way)
  const next = await leaderOf(rest)
  await untilReady(next.page, bounds.start)
  const millis = performance.now() - from
  if (way !== "close") await leader.page.close()
  const counts = await Promise.all(rest.map(stopLoad))
  await Promise.all(rest.map(({ page }) => untilLive(page, bounds.sync)))
  return { millis, rest, counts }
}

export const leaderKills = async (options: LeaderKillOptions): Promise<LeaderKillReport> => {
  const rig = await openHostRig({ folders: 200, chunkBytes: 100_000 })
  const browser = await launchChromium()
  const random = seeded(options.seed)
  const counted: Record<Way, number> = { close: 0, terminate: 0, crash: 0 }
  const handOvers: Array<number> = []
  const sum = { reads: 0, calls: 0, refused: 0 }
  const context: BrowserContext = await browser.newContext()
  let opened = 0
  const open = async (): Promise<Tab> => {
    const id = `tab-${opened++}`
    const page = await openTab(rig, context, id)
    await untilReady(page, bounds.start)
    return { id, page }
  }
  try {
    let tabs: ReadonlyArray<Tab> = [await open()]
    await untilLive(tabs[0]!.page, bounds.sync)
    const stop = keepWriting(rig, random)
    for (let kill = 0; kill < options.kills; kill++) {
      const way = random.pick(ways)
      const wanted = 2 + random.below(4)
      while (tabs.length < wanted) tabs = [...tabs, await open()]
      const { counts, millis, rest } = await killOne(tabs, way).catch((cause: unknown) => {
        throw new Error(`seed ${options.seed}, kill ${kill} (${way}): ${String(cause)}`, { cause })
      })
      counted[way] += 1
      handOvers.push(millis)
      for (const count of counts) {
        if (count.empty > 0) throw new Error(`kill ${kill} (${way}): a read saw no rows`)
        sum.reads += count.reads
        sum.calls += count.calls
        sum.refused += count.refused
      }
      if (rig.site.overlaps.length > 0) throw new Error(`kill ${kill} (${way}): ${rig.site.overlaps[0]}`)
      tabs = rest
      options.log?.(`kill ${kill}: ${way} among ${rest.length + 1} tabs, ${Math.round(millis)} ms`)
    }
    await stop()
    for (const { page } of tabs) await untilEqual(rig, page, bounds.sync)
  } finally {
    await browser.close()
    await rig.close()
  }
  return {
    kills: options.kills,
    ways: counted,
    reads: sum.reads,
    calls: sum.calls,
    refusedCalls: sum.refused,
    overlaps: rig.site.overlaps.length,
    handOverMedianMillis: percentile(handOvers, 0.5),
    handOverP95Millis: percentile(handOvers, 0.95),
  }
}

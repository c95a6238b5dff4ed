/**
 * How the page holds out while the panel is open over many busy instances: turns them in Chromium under the browser's own
 * tracing and reports the tasks of the page's main thread. Measures only; whoever asks judges.
 */
import type { Browser } from "playwright-core"
import type {} from "./sceneControls.ts"

export interface LoadOptions {
  readonly url: string
  readonly view: string
  readonly count: number
  readonly ticks: number
  readonly everyMillis: number
}

export interface LoadFigures {
  readonly view: string
  readonly tasks: number
  /** Tasks longer than 50 ms while the instances changed. */
  readonly over50: number
  readonly longestMillis: number
  /** Share of the time in which the main thread worked, 0 to 1. */
  readonly busy: number
  /** Elements in the panel at the end. */
  readonly elements: number
  /** `12 Live` and so on, as the panel's chips say at rest. */
  readonly counts: ReadonlyArray<string>
}

interface TraceEvent {
  readonly name: string
  readonly ph: string
  readonly pid: number
  readonly tid: number
  readonly ts: number
  readonly dur?: number
  readonly args?: { readonly name?: string }
}

/** Task durations of the busiest page main thread, in milliseconds. */
const mainThreadTasks = (events: ReadonlyArray<TraceEvent>): ReadonlyArray<number> => {
  const mains = new Set(
    events
      .filter(({ name, args }) => name === "thread_name" && args?.name === "CrRendererMain")
      .map(({ pid, tid }) => `${pid}/${tid}`),
  )
  const byThread = new Map<string, Array<number>>()
  for (const { name, ph, pid, tid, dur } of events) {
    if (ph !== "X" || !name.endsWith("RunTask") || !mains.has(`${pid}/${tid}`)) continue
    const own = byThread.get(`${pid}/${tid}`)
    if (own === undefined) byThread.set(`${pid}/${tid}`, [(dur ?? 0) / 1000])
    else own.push((dur ?? 0) / 1000)
  }
  const sum = (all: ReadonlyArray<number>): number => all.reduce((total, one) => total + one, 0)
  return [...byThread.values()].sort((left, right) => sum(right) - sum(left))[0] ?? []
}

export const measureLoad = async (browser: Browser, options: LoadOptions): Promise<LoadFigures> => {
  const { url, view, count, ticks, everyMillis } = options
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } })
  try {
    await page.goto(url)
    await page.evaluate(() => window.scene.play())
    await page.getByTestId("panel-open").click()
    await page.getByTestId(`panel-tab-${view}`).click()
    // The first drawing of so many is no part of the question.
    await page.evaluate((many) => window.scene.run({ count: many, ticks: 1, everyMillis: 1 }), count)
    await page.evaluate(() => window.scene.settled())
    await browser.startTracing(page, {
      categories: ["toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline"],
    })
    await page.evaluate((run) => window.scene.run(run), { count, ticks, everyMillis })
    await page.evaluate(() => window.scene.settled())
    const trace = JSON.parse((await browser.stopTracing()).toString()) as {
      readonly traceEvents: ReadonlyArray<TraceEvent>
    }
    const tasks = mainThreadTasks(trace.traceEvents)
    const chips = await page.locator(".esp-counts .esp-chip").allTextContents()
    return {
      view,
      tasks: tasks.length,
      over50: tasks.filter((millis) => millis > 50).length,
      longestMillis: Math.round(Math.max(0, ...tasks) * 10) / 10,
      busy: Math.round((tasks.reduce((sum, one) => sum + one, 0) / (ticks * everyMillis)) * 100) / 100,
      elements: await page.locator(".esp-dock *").count(),
      counts: chips.map((text) => text.trim()),
    }
  } finally {
    await page.close()
  }
}

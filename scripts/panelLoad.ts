/**
 * `pnpm panel:load`: the panel over a thousand instances that change state a hundred times a second, view by view, in Chromium
 * under tracing. Prints the longest task of the page's main thread and how many took more than 50 ms.
 */
import { launchChromium } from "../packages/worker/test/support/browser.ts"
import { startPanelSite } from "../packages/vue-bindings/test/support/panelSite.ts"
import { measureLoad, type LoadFigures } from "../packages/vue-bindings/test/support/tracedLoad.ts"
import { ExitCode, main, readOptions, table } from "./lib/cli.ts"

const usage = `Usage: pnpm panel:load [--instances N] [--rate N] [--seconds N] [--view NAME] [--json]

  --instances N  how many instances change (default 1000)
  --rate N       statuses a second, each turning all of them (default 100)
  --seconds N    for how long, per view (default 5)
  --view NAME    one view only (may be given several times)
  --json         print [{view, tasks, over50, longestMillis, busy, elements, counts}] and nothing else

Exits 1 when a task took more than 50 ms.`

const allViews = ["instances", "graph", "timeline", "network", "rows", "storage", "console", "faults"]

main(async () => {
  const options = readOptions(usage, {
    instances: { type: "string", default: "1000" },
    rate: { type: "string", default: "100" },
    seconds: { type: "string", default: "5" },
    view: { type: "string", multiple: true, default: allViews },
    json: { type: "boolean", default: false },
  })
  const everyMillis = 1000 / Number(options.rate)
  const site = await startPanelSite()
  const browser = await launchChromium()
  const figures: Array<LoadFigures> = []
  try {
    for (const view of options.view) {
      const ticks = Math.round((Number(options.seconds) * 1000) / everyMillis)
      figures.push(
        await measureLoad(browser, {
          url: site.url,
          view,
          count: Number(options.instances),
          ticks,
          everyMillis,
        }),
      )
    }
  } finally {
    await browser.close()
    await site.close()
  }
  if (options.json) console.log(JSON.stringify(figures))
  else {
    console.log(
      table([
        ["view", "tasks", "over 50 ms", "longest", "busy", "elements"],
        ...figures.map((one) => [
          one.view,
          String(one.tasks),
          String(one.over50),
          `${one.longestMillis} ms`,
          `${Math.round(one.busy * 100)} %`,
          String(one.elements),
        ]),
      ]),
    )
  }
  return figures.some(({ over50 }) => over50 > 0) ? ExitCode.failed : 0
})

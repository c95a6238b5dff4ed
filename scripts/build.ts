/** `pnpm build`: the worker's bundle, then the demo with it; what is up to date is left alone. Prints what was done and sizes. */
import { buildAll, bundleSizes, sizeRows } from "./lib/builds.ts"
import { main, readOptions, secondsSince, table } from "./lib/cli.ts"

const usage = `Usage: pnpm build [--force] [--json]

Builds packages/worker/dist/bundle and apps/demo/.output, each only when its inputs changed.
  --force  build everything
  --json   print {seconds, parts: [{name, state, seconds}], sizes: [{name, raw, gzip}]} (bytes) and nothing else`

main(async () => {
  const options = readOptions(usage, { force: { type: "boolean" }, json: { type: "boolean" } })
  const start = performance.now()
  const parts = await buildAll({
    force: options.force === true,
    onStart: (name) => options.json !== true && console.log(`building the ${name} …`),
  })
  const sizes = await bundleSizes()
  const seconds = secondsSince(start)
  if (options.json === true) {
    console.log(JSON.stringify({ seconds, parts, sizes }))
    return 0
  }
  console.log(
    table([["part", "state", "seconds"], ...parts.map((p) => [p.name, p.state, p.seconds.toFixed(1)])]),
  )
  console.log(`\n${table([["downloaded", "raw", "gzip"], ...sizeRows(sizes)])}\n\nbuilt in ${seconds} s`)
  return 0
})

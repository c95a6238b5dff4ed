/**
 * Builds the worker: one self-contained ES module with PGlite, its live and sync extensions and the engine,
 * and PGlite's three assets and a prepared data directory beside it. Refuses a bundle with an import left over (the worker would die
 * without a message), with `eval` in code that is not PGlite's, or over a named size budget. Run by `pnpm
 * build:worker`; `bundleWorker` is reused by the demo and the tests.
 */
import { copyFile, mkdir, stat, writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { parseArgs } from "node:util"
import { build, type BuildOptions, type BuildResult, type OutputFile } from "esbuild"
import { minifyScript } from "./minify.ts"
import { preparedFile, writePrepared } from "./prepared.ts"
import { formatSizes, measureBytes, measureFile, type FileSize } from "./sizes.ts"

const packageDir = resolve(dirname(fileURLToPath(import.meta.url)), "..")
const pgliteDir = dirname(createRequire(import.meta.url).resolve("@electric-sql/pglite"))
const scriptFile = "pglite.bundle.js"
const assets = ["pglite.wasm", "pglite.data", "initdb.wasm"]
const pgliteExternals = ["@electric-sql/pglite", "@electric-sql/pglite/*"]

/** Budgets in bytes of gzip, each with a name that a failing build prints. */
export const budgets = {
  /** The whole worker script. */
  workerGzip: 275_000,
  /** What the worker carries beside PGlite and pglite-sync: engine, adapters, Electric's client, Effect. */
  workerBesidePgliteGzip: 122_000,
  /** The page half beside PGlite's worker client and live extension. */
  pageGzip: 12_000,
} as const

export interface BundleOptions {
  /** Default: `packages/worker/dist/bundle`. */
  readonly outdir?: string
  /** Default: the host's own entry. Tests bundle a host with other parts. */
  readonly entry?: string
  /** Measure everything, assets included, and check the budgets (adds seconds). Default true. */
  readonly measure?: boolean
}

export interface BundleReport {
  readonly outdir: string
  readonly millis: number
  /** Files of the bundle; empty without `measure`. */
  readonly files: ReadonlyArray<FileSize>
  /**
   * The worker script beside PGlite and pglite-sync; the page half beside PGlite. Empty without `measure`.
   */
  readonly parts: ReadonlyArray<FileSize>
  /** Places in PGlite's own code that would need `unsafe-eval` if they ran. */
  readonly evalsInPglite: number
}

const common = {
  bundle: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  minify: true,
  metafile: true,
  write: false,
  logLevel: "silent",
  absWorkingDir: packageDir,
  alias: { "node:module": join(packageDir, "build/nodeModuleStub.ts") },
} satisfies BuildOptions

/** Paths that a built script would still import at run time. */
const leftoverImports = (result: BuildResult): ReadonlyArray<string> =>
  Object.values(result.metafile?.outputs ?? {}).flatMap((output) => output.imports.map((entry) => entry.path))

const evalPattern = /\beval\s*\(|\bnew Function\b|[^.\w$]Function\s*\(/g

const countEvals = (script: string): number => script.match(evalPattern)?.length ?? 0

const onlyScript = (result: BuildResult): OutputFile => {
  const script = result.outputFiles?.find((file) => file.path.endsWith(".js"))
  if (script === undefined) throw new Error("esbuild returned no script")
  return script
}

const onlyMap = (result: BuildResult): string | undefined =>
  result.outputFiles?.find((file) => file.path.endsWith(".map"))?.text

/**
 * Copies an asset unless the copy is already the same file (9 MB are not written on every start of the demo).
 */
const copyAsset = async (file: string, outdir: string): Promise<void> => {
  const from = join(pgliteDir, file)
  const to = join(outdir, file)
  const [source, copy] = await Promise.all([stat(from), stat(to).catch(() => null)])
  if (copy === null || copy.size !== source.size || copy.mtimeMs < source.mtimeMs) await copyFile(from, to)
}

const bundleAlone = (entry: string, external: ReadonlyArray<string>): Promise<BuildResult> =>
  build({
    ...common,
    entryPoints: { part: entry },
    outdir: join(packageDir, "dist/unwritten"),
    external: [...external],
  })

const measureMinified = async (title: string, script: OutputFile): Promise<FileSize> =>
  measureBytes(title, Buffer.from((await minifyScript(title, script.text)).code))

const measureParts = async (entry: string) => {
  const [worker, page] = await Promise.all([
    bundleAlone(entry, [...pgliteExternals, "@electric-sql/pglite-sync"]),
    bundleAlone(join(packageDir, "src/client/index.ts"), pgliteExternals),
  ])
  const ownScripts = [onlyScript(worker), onlyScript(page)]
  const parts = await Promise.all([
    measureMinified("worker beside PGlite and pglite-sync", ownScripts[0]!),
    measureMinified("page half beside PGlite's worker client", ownScripts[1]!),
  ])
  return {
    parts,
    ownEvals: ownScripts.map((script) => countEvals(script.text)).reduce((sum, count) => sum + count, 0),
  }
}

const checkBudgets = (report: BundleReport): void => {
  const measured: Record<keyof typeof budgets, number> = {
    workerGzip: report.files[0]?.gzip ?? 0,
    workerBesidePgliteGzip: report.parts[0]?.gzip ?? 0,
    pageGzip: report.parts[1]?.gzip ?? 0,
  }
  const over = (Object.keys(budgets) as ReadonlyArray<keyof typeof budgets>)
    .filter((name) => measured[name] > budgets[name])
    .map((name) => `${name}: ${measured[name]} bytes, budget ${budgets[name]}`)
  if (over.length > 0) {
    throw new Error(`Over budget (packages/worker/build/bundle.ts):\n  ${over.join("\n  ")}`)
  }
}

/**
 * Writes the bundle.
 *
 * @throws Error when a source does not build, an import is left over, own code evaluates text, or a budget is
 * exceeded.
 */
export const bundleWorker = async (options: BundleOptions = {}): Promise<BundleReport> => {
  const started = performance.now()
  const outdir = resolve(options.outdir ?? join(packageDir, "dist/bundle"))
  const entry = resolve(options.entry ?? join(packageDir, "src/host/main.ts"))
  const result = await build({
    ...common,
    sourcemap: "external",
    entryPoints: { "pglite.bundle": entry },
    outdir,
  })
  const leftovers = leftoverImports(result)
  if (leftovers.length > 0) {
    throw new Error(
      `The worker bundle still imports ${[...new Set(leftovers)].join(", ")}: it would not start in a browser.`,
    )
  }
  const script = await minifyScript(scriptFile, onlyScript(result).text, onlyMap(result))
  await mkdir(outdir, { recursive: true })
  await Promise.all([
    writeFile(join(outdir, scriptFile), script.code),
    writeFile(join(outdir, `${scriptFile}.map`), script.map),
    ...assets.map((file) => copyAsset(file, outdir)),
    writePrepared(outdir),
  ])
  const evals = countEvals(script.code)
  const report = { outdir, evalsInPglite: evals, files: [], parts: [] }
  if (options.measure === false) return { ...report, millis: Math.round(performance.now() - started) }
  const [files, { parts, ownEvals }] = await Promise.all([
    Promise.all([scriptFile, ...assets, preparedFile].map((file) => measureFile(join(outdir, file)))),
    measureParts(entry),
  ])
  if (ownEvals > 0)
    throw new Error(`Own code evaluates text as a program in ${ownEvals} place(s): a strict CSP forbids it.`)
  const full = { ...report, files, parts, millis: Math.round(performance.now() - started) }
  if (options.entry === undefined) checkBudgets(full)
  return full
}

const usage = `Usage: node build/bundle.ts [--out DIR] [--json]

Builds the worker bundle (pglite.bundle.js) with PGlite's assets beside it and prints sizes.
  --out DIR   where to write (default packages/worker/dist/bundle)
  --json      print the figures as JSON
  --help      this text
`

const run = async (args: ReadonlyArray<string>): Promise<void> => {
  const { values } = parseArgs({
    args: [...args],
    options: { out: { type: "string" }, json: { type: "boolean" }, help: { type: "boolean", short: "h" } },
  })
  if (values.help === true) {
    process.stdout.write(usage)
    return
  }
  const report = await bundleWorker(values.out === undefined ? {} : { outdir: values.out })
  if (values.json === true) {
    process.stdout.write(`${JSON.stringify({ ...report, budgets }, null, 2)}\n`)
    return
  }
  process.stdout.write(
    `worker bundle in ${report.outdir} (${report.millis} ms)\n${formatSizes([...report.files, ...report.parts])}\n` +
      `  no import left, no eval in own code; ${report.evalsInPglite} in PGlite's\n`,
  )
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  run(process.argv.slice(2)).catch((error: unknown) => {
    process.stderr.write(
      `build:worker failed: ${error instanceof Error ? error.message : String(error)}\n${usage}`,
    )
    process.exitCode = 1
  })
}

/**
 * What `pnpm build` builds, in order, and how it knows that a part is up to date: a stamp with the hash of the part's
 * inputs lies beside its output. `pnpm demo` and `pnpm test` call it too, so that a second start costs no build.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { readdir, readFile } from "node:fs/promises"
import { dirname } from "node:path"
import { gzipSync } from "node:zlib"
import { CommandError, kilobytes, secondsSince } from "./cli.ts"
import { runNode } from "./child.ts"
import { contentHash } from "./contentHash.ts"
import { at } from "./paths.ts"

interface Part {
  readonly name: string
  readonly inputs: ReadonlyArray<string>
  /** Where the hash of the inputs is kept. */
  readonly stamp: string
  /** Files that must exist for the part to count as built. */
  readonly outputs: ReadonlyArray<string>
  readonly command: { readonly cwd: string; readonly args: ReadonlyArray<string> }
}

const common = ["pnpm-lock.yaml", "tsconfig.base.json", "scripts/lib/builds.ts"]

/** Order matters: the demo's build copies the worker's bundle. */
const parts: ReadonlyArray<Part> = [
  {
    name: "worker",
    inputs: [...common, "packages/worker", "packages/engine/src", "packages/engine/package.json"],
    stamp: "packages/worker/dist/bundle-stamp",
    outputs: ["pglite.bundle.js", "pglite.wasm", "pglite.data", "initdb.wasm", "pglite.prepared.tar.gz"].map(
      (file) => `packages/worker/dist/bundle/${file}`,
    ),
    command: { cwd: "packages/worker", args: ["build/bundle.ts"] },
  },
  {
    name: "demo",
    inputs: [...common, "apps/demo", "packages"],
    stamp: "apps/demo/.output/build-stamp",
    outputs: ["apps/demo/.output/server/index.mjs", "apps/demo/.output/public/workers/pglite.bundle.js"],
    command: { cwd: "apps/demo", args: ["node_modules/nuxt/bin/nuxt.mjs", "build"] },
  },
]

/** Built by its own test only; nobody else waits for it. */
const playground: Part = {
  name: "playground",
  inputs: [...common, "apps/playground", "packages"],
  stamp: "apps/playground/.output/build-stamp",
  outputs: [
    "apps/playground/.output/server/index.mjs",
    "apps/playground/.output/public/workers/pglite.bundle.js",
  ],
  command: { cwd: "apps/playground", args: ["node_modules/nuxt/bin/nuxt.mjs", "build"] },
}

export interface Built {
  readonly name: string
  readonly state: "built" | "up to date"
  readonly seconds: number
}

const isUpToDate = (part: Part, hash: string): boolean =>
  part.outputs.every((path) => existsSync(at(path))) &&
  existsSync(at(part.stamp)) &&
  readFileSync(at(part.stamp), "utf8") === hash

const buildPart = async (part: Part, options: BuildOptions): Promise<Built> => {
  const start = performance.now()
  const hash = contentHash(part.inputs)
  if (options.force !== true && isUpToDate(part, hash)) {
    return { name: part.name, state: "up to date", seconds: secondsSince(start) }
  }
  options.onStart?.(part.name)
  const { code, output } = await runNode(part.command.args, { cwd: at(part.command.cwd) })
  if (code !== 0) throw new CommandError(`the build of the ${part.name} failed:\n${output.trim()}`)
  const missing = part.outputs.filter((path) => !existsSync(at(path)))
  if (missing.length > 0) {
    throw new CommandError(
      `the build of the ${part.name} did not write ${missing.join(", ")}:\n${output.trim()}`,
    )
  }
  mkdirSync(dirname(at(part.stamp)), { recursive: true })
  writeFileSync(at(part.stamp), hash)
  return { name: part.name, state: "built", seconds: secondsSince(start) }
}

export interface BuildOptions {
  /** Builds what is up to date, too. */
  readonly force?: boolean
  readonly onStart?: (name: string) => void
}

/** Builds the worker's bundle and the demo. @throws CommandError with the tool's output when one fails. */
export const buildAll = async (options: BuildOptions = {}): Promise<ReadonlyArray<Built>> => {
  const done: Array<Built> = []
  for (const part of parts) done.push(await buildPart(part, options))
  return done
}

/** Builds the worker's bundle alone: it is part of a package as well as of the demo. @throws CommandError with the tool's output */
export const buildWorker = async (): Promise<void> => {
  for (const part of parts) if (part.name === "worker") await buildPart(part, {})
}

/** Builds the worker's bundle and the playground; returns the entry of its server. @throws CommandError */
export const buildPlayground = async (): Promise<string> => {
  await buildWorker()
  await buildPart(playground, {})
  return at("apps/playground/.output/server/index.mjs")
}

/** The entry of the built page server, when every output of every part is there. @throws CommandError otherwise. */
export const builtServer = (): string => {
  const missing = parts.flatMap((part) => part.outputs).filter((path) => !existsSync(at(path)))
  if (missing.length > 0) {
    throw new CommandError(`build output is missing (${missing.join(", ")}). Run \`pnpm build\` first.`)
  }
  return at("apps/demo/.output/server/index.mjs")
}

export interface Size {
  readonly name: string
  readonly raw: number
  readonly gzip: number
}

const sizeOf = async (name: string, paths: ReadonlyArray<string>): Promise<Size> => {
  const bodies = await Promise.all(paths.map((path) => readFile(path)))
  return {
    name,
    raw: bodies.reduce((sum, body) => sum + body.byteLength, 0),
    gzip: bodies.reduce((sum, body) => sum + gzipSync(body, { level: 6 }).byteLength, 0),
  }
}

/** What a browser downloads, by part. */
export const bundleSizes = async (): Promise<ReadonlyArray<Size>> => {
  const workers = at("apps/demo/.output/public/workers")
  const chunks = at("apps/demo/.output/public/_nuxt")
  const pageFiles = async (ending: string) =>
    (await readdir(chunks)).filter((name) => name.endsWith(ending)).map((name) => `${chunks}/${name}`)
  return [
    await sizeOf("worker script", [`${workers}/pglite.bundle.js`]),
    await sizeOf(
      "PGlite's assets",
      ["pglite.wasm", "pglite.data", "initdb.wasm"].map((file) => `${workers}/${file}`),
    ),
    await sizeOf("prepared database", [`${workers}/pglite.prepared.tar.gz`]),
    await sizeOf("page scripts", await pageFiles(".js")),
    await sizeOf("page styles", await pageFiles(".css")),
  ]
}

export const sizeRows = (sizes: ReadonlyArray<Size>): ReadonlyArray<ReadonlyArray<string>> =>
  sizes.map(({ name, raw, gzip }) => [name, kilobytes(raw), kilobytes(gzip)])

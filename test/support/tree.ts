/**
 * Reads the repository's own files for the tests about the code. Walks the folders instead of asking git, because the
 * tests also run in a source archive. Nothing here judges; the tests do.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join, relative } from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/[\\/]$/, "")

export interface SourceFile {
  /** Relative to the root, with forward slashes. */
  readonly path: string
  readonly text: string
}

/** Folders that hold what tools made. */
const made = new Set([
  "node_modules",
  ".git",
  "dist",
  ".nuxt",
  ".output",
  ".data",
  "coverage",
  "scratchpad",
  "test-results",
])

const walk = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (made.has(entry.name)) return []
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return walk(path)
    return entry.isFile() ? [path] : []
  })

/** Every text file people wrote, pictures and build information left out. */
export const files: ReadonlyArray<SourceFile> = walk(root)
  .filter((path) => !/\.(png|jpg|ico|webp|woff2|gz|wasm|tsbuildinfo|log)$|\.env$/.test(path))
  .map((path) => ({ path: relative(root, path).replaceAll("\\", "/"), text: readFileSync(path, "utf8") }))

/** The code: TypeScript and Vue files. */
export const code = files.filter(({ path }) => /\.(ts|mts|vue)$/.test(path))

export const isTest = (path: string): boolean =>
  /(^|\/)(test|e2e|bench)\//.test(path) || /\.(test|contract)\.ts$/.test(path)

/** Code of the published packages, tests left out. */
export const packageSource = code.filter(({ path }) => /^packages\/[^/]+\/src\//.test(path) && !isTest(path))

/** The text with comments blanked out; line numbers stay. Strings stay. */
export const withoutComments = (text: string): string =>
  text.replace(
    /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\/\*[\s\S]*?\*\/|<!--[\s\S]*?-->|\/\/[^\n]*/g,
    (whole: string, text?: string) => text ?? whole.replace(/[^\n]/g, " "),
  )

/** `path:line: line` for each line of the text that matches. */
export const linesMatching = ({ path, text }: SourceFile, pattern: RegExp): ReadonlyArray<string> =>
  text.split("\n").flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1}: ${line.trim()}`] : []))

export const readJson = (path: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(root, path), "utf8")) as Record<string, unknown>

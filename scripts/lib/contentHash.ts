/**
 * One hash over the content of many files, so that a build can tell whether its inputs changed. Content, not times: a
 * fresh checkout and a file touched without change must not rebuild. A few hundred files take some ten milliseconds.
 */
import { createHash } from "node:crypto"
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { at } from "./paths.ts"

/** Folders that are made by builds, tests or installs and are never inputs. */
const made = new Set([
  "node_modules",
  "dist",
  ".nuxt",
  ".output",
  ".data",
  "coverage",
  "test",
  "e2e",
  "bench",
])

const filesBelow = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (made.has(entry.name)) return []
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return filesBelow(path)
    return entry.isFile() && !entry.name.endsWith(".tsbuildinfo") ? [path] : []
  })

/** The hash of files and of all files below folders, all relative to the root; what does not exist counts as absent. */
export const contentHash = (inputs: ReadonlyArray<string>): string => {
  const hash = createHash("sha256")
  for (const input of inputs) {
    const info = statSync(at(input), { throwIfNoEntry: false })
    const found =
      info === undefined ? [] : info.isDirectory() ? filesBelow(at(input)).toSorted() : [at(input)]
    hash.update(`${input}\0${found.length}\0`)
    for (const path of found)
      hash.update(path.slice(at().length)).update("\0").update(readFileSync(path)).update("\0")
  }
  return hash.digest("hex")
}

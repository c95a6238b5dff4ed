/**
 * Decides where the rows lie: what a data directory asks for, what the browser lets us use, and why, in a sentence. Pure but for the
 * probes it is handed. A database that was asked for by its back end is never looked for in another one, so rows and the app's own
 * tables do not seem to be gone because a probe failed once; only memory takes its place. Called by `startHost`.
 */
import type { StorageBackend } from "../../contract.ts"

/** A back end that keeps rows when the browser ends. */
export type LastingBackend = Exclude<StorageBackend, "memory">

/** Null when the back end works, else why it does not. */
export type Probe = (backend: LastingBackend) => Promise<string | null>

export interface BackendChoice {
  readonly backend: StorageBackend
  /** For PGlite: with the prefix of the back end. */
  readonly dataDir: string
  /** The name alone. */
  readonly name: string
  readonly reason: string
}

const prefixes = { "idb://": "idb", "opfs-ahp://": "opfs", "memory://": "memory", "auto://": "auto" } as const

const prefixOf: Readonly<Record<LastingBackend, string>> = { idb: "idb://", opfs: "opfs-ahp://" }

const titles: Readonly<Record<LastingBackend, string>> = {
  idb: "IndexedDB",
  opfs: "the origin-private file system",
}

/**
 * In order of preference. IndexedDB first: a database in the origin-private file system takes four times as long to start for the
 * first time and twice as long after a reload (measured in Chromium), and its commits are not faster.
 */
const preference: ReadonlyArray<LastingBackend> = ["idb", "opfs"]

interface Parsed {
  readonly kind: StorageBackend | "auto"
  readonly name: string
}

/** Takes a data directory apart; null when it names no back end known here. */
export const parseDataDir = (dataDir: string): Parsed | null => {
  for (const [prefix, kind] of Object.entries(prefixes)) {
    if (!dataDir.startsWith(prefix)) continue
    const name = dataDir.slice(prefix.length)
    return name === "" && kind !== "memory" ? null : { kind, name }
  }
  return null
}

const inMemory = (name: string, reason: string): BackendChoice => ({
  backend: "memory",
  dataDir: "memory://",
  name,
  reason: `${reason} Rows are kept in memory: they go with the last tab and are fetched again at the next start.`,
})

const asked = (kind: LastingBackend): string => `The data directory asks for ${titles[kind]}, and it works.`

/** The back end for a data directory; null for a directory that names none. */
export const chooseBackend = async (dataDir: string, probe: Probe): Promise<BackendChoice | null> => {
  const parsed = parseDataDir(dataDir)
  if (parsed === null) return null
  const { kind, name } = parsed
  if (kind === "memory") return inMemory(name, "The data directory asks for memory.")
  const troubles: Array<string> = []
  for (const backend of kind === "auto" ? preference : [kind]) {
    const trouble = await probe(backend)
    if (trouble === null) {
      const reason =
        kind !== "auto"
          ? asked(kind)
          : troubles.length === 0
            ? `${titles[backend]} works and starts fastest.`
            : `${titles[backend]} works. ${troubles.join(" ")}`
      return { backend, dataDir: prefixOf[backend] + name, name, reason }
    }
    troubles.push(`${titles[backend]} cannot be used: ${trouble}.`)
  }
  return inMemory(name, troubles.join(" "))
}

/**
 * A prepared, empty data directory: initdb takes most of the seconds a new database needs, and its outcome is always the
 * same. So it is run once per PGlite version, packed, and kept in a cache folder; every new database is unpacked from
 * there. Nothing here may make a start fail: a cache that cannot be read or written only costs the time it would save.
 */
import { existsSync, readFileSync } from "node:fs"
import { mkdir, open, readFile, rename, rm } from "node:fs/promises"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import { gunzip, gzip } from "node:zlib"
import type { PGlite } from "@electric-sql/pglite"

/** Where the cache lies and what its files hold. */
export interface PreparedOptions {
  /** Folder of the cache; made when missing. */
  readonly folder: string
  /** Names the file, so that another version of PGlite never reads it. */
  readonly version: string
  /** Runs initdb in memory. The database is closed after it was packed. */
  readonly create: () => Promise<PGlite>
}

/** An unpacked tar for `loadDataDir`; `null` where the cache is of no use, with the reason. */
export type Prepared =
  | { readonly data: Blob; readonly problem: string | null }
  | { readonly data: null; readonly problem: string }

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "ENOENT"

/** The prepared directory, from the cache or made now. Never rejects for reasons of the cache. */
export const prepare = async (options: PreparedOptions): Promise<Prepared> => {
  const path = pathOf(options)
  let problem: string | null = null
  try {
    return { data: await read(options), problem }
  } catch (error) {
    if (!isMissing(error)) problem = `${path} is not readable and is made anew: ${messageOf(error)}`
  }
  return build(options, path, problem)
}

/** Forgets a prepared directory that did not start, so that the next start makes a new one. */
export const discard = (options: PreparedOptions): Promise<void> => rm(pathOf(options), { force: true })

const pathOf = ({ folder, version }: Pick<PreparedOptions, "folder" | "version">): string =>
  join(folder, `${version}.tar.gz`)

/** The prepared directory if it lies in the cache. Unpacking here, not in PGlite, checks gzip's checksum and is twice as fast. */
export const read = async (options: Pick<PreparedOptions, "folder" | "version">): Promise<Blob> =>
  new Blob([new Uint8Array(await promisify(gunzip)(await readFile(pathOf(options))))])

/** Low: a third of the time of the default, and a file of a few megabytes either way. */
const gzipLevel = 3

/** The file is opened before initdb runs: a folder that cannot be written to must not cost initdb twice. */
const build = async (options: PreparedOptions, path: string, problem: string | null): Promise<Prepared> => {
  const temporary = `${path}.${process.pid}.tmp`
  try {
    await mkdir(options.folder, { recursive: true })
    const file = await open(temporary, "w")
    try {
      const tar = await pack(options)
      await file.writeFile(await promisify(gzip)(tar, { level: gzipLevel }))
      await file.sync()
      await file.close()
      await rename(temporary, path)
      return { data: new Blob([tar]), problem }
    } finally {
      await file.close()
      await rm(temporary, { force: true })
    }
  } catch (error) {
    return {
      data: null,
      problem: `No prepared database can be kept in ${options.folder}: ${messageOf(error)}`,
    }
  }
}

const pack = async (options: PreparedOptions): Promise<Uint8Array<ArrayBuffer>> => {
  const db = await options.create()
  try {
    return new Uint8Array(await (await db.dumpDataDir("none")).arrayBuffer())
  } finally {
    await db.close()
  }
}

/** `.cache/espalier-dev-server` in the `node_modules` nearest to this package. */
export const defaultFolder = (): string => {
  let at = import.meta.dirname
  while (!existsSync(join(at, "node_modules")) && dirname(at) !== at) at = dirname(at)
  return join(at, "node_modules", ".cache", "espalier-dev-server")
}

/** Version of the PGlite this package runs on, read from its manifest above its entry file. */
export const pgliteVersion = (): string => {
  let at = dirname(createRequire(import.meta.url).resolve("@electric-sql/pglite"))
  while (!existsSync(join(at, "package.json")) && dirname(at) !== at) at = dirname(at)
  const manifest = JSON.parse(readFileSync(join(at, "package.json"), "utf8")) as { readonly version: string }
  return manifest.version
}

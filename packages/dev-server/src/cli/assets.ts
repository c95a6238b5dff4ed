/**
 * What the embedded database needs from disk before it starts, begun before the server's own modules load: PGlite compiled, and
 * the prepared directory unpacked. Both run on other threads. Only reads; where something is missing or broken the ordinary way
 * through `open` finds it again and says so.
 */
import { existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { defaultFolder, pgliteVersion, read } from "../db/preparedDirectory.ts"

/** Each is `null` where it could not be had early. */
export interface Assets {
  readonly pgliteWasmModule: WebAssembly.Module | null
  /** The unpacked tar of a new database; `null` for a directory that exists, too. */
  readonly prepared: Blob | null
}

const orNull = <A>(work: Promise<A>): Promise<A | null> => work.catch(() => null)

/** Whether `dataDir` (`null`: memory) has no database yet. */
export const isNewDatabase = (dataDir: string | null): boolean =>
  dataDir === null || !existsSync(join(dataDir, "PG_VERSION"))

/** Never rejects. The options are those of the command line. */
export const load = async (dataDir: string | null, cacheFolder: string | null): Promise<Assets> => {
  const folder = dirname(createRequire(import.meta.url).resolve("@electric-sql/pglite"))
  const [pgliteWasmModule, prepared] = await Promise.all([
    orNull(readFile(join(folder, "pglite.wasm")).then((bytes) => WebAssembly.compile(new Uint8Array(bytes)))),
    isNewDatabase(dataDir)
      ? orNull(read({ folder: cacheFolder ?? defaultFolder(), version: pgliteVersion() }))
      : null,
  ])
  return { pgliteWasmModule, prepared }
}

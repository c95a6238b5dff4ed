/**
 * Opens the browser's PGlite as the host needs it: extensions, and a storage whose flushes are whole images that can be waited for.
 * Used by `main.ts` only.
 *
 * PGlite itself runs with relaxed durability: a query's reply never waits for IndexedDB. Its own `syncToFs` then waits for nothing
 * either, so whoever must know (the store, at a wipe) asks `Flushes` instead.
 */
import { IdbFs, PGlite } from "@electric-sql/pglite"
import { databaseSettings } from "@espalier/engine/pglite"
import { electricSync } from "@electric-sql/pglite-sync"
import { live } from "@electric-sql/pglite/live"
import { Flushes } from "./Flushes.ts"
import { existsInIndexedDb, fetchPrepared } from "./preparedDirectory.ts"
import type { OpenDatabase, OpenOptions } from "./startHost.ts"
import { parseDataDir } from "./storage/backend.ts"
import { FlushBehind } from "./storage/FlushBehind.ts"
import { removeIndexedDb } from "./storage/quarantine.ts"
import { IndexedDbFiles, type MemoryNode } from "./storage/IndexedDbFiles.ts"

/** PGlite mounts the files of `idb://name` here and gives the IndexedDB database the same name. */
const mountOf = (name: string): string => `/pglite/${name}`

/** PGlite's IndexedDB file system, reading by itself and storing by {@link IndexedDbFiles}. */
class WatchedIdbFs extends IdbFs {
  readonly flushes = new Flushes()
  readonly #mount: string
  readonly #files: IndexedDbFiles

  readonly #flushed: (error: unknown) => void

  constructor(name: string, flushed: (error: unknown) => void) {
    super(name)
    this.#flushed = flushed
    this.#mount = mountOf(name)
    this.#files = new IndexedDbFiles(this.#mount, () => this.#root(this.#mount))
  }

  override async initialSyncFs(): Promise<void> {
    await super.initialSyncFs()
    const names = Object.keys(this.#root(this.#mount).contents ?? {})
    // PGlite would take what is left for an empty directory and make a database on top of it.
    if (names.length > 0 && !names.includes("PG_VERSION"))
      throw new Error("files of the database are missing")
    this.#files.loaded()
  }

  /** Closes every connection to the storage and stores nothing more, also when the opening was cut short. */
  abandon(): void {
    this.#files.abandon()
    // Emscripten keeps a connection of its own; there is no module yet when the opening failed early.
    const module = this.pg?.Module as { readonly IDBFS?: unknown } | undefined
    const own = module?.IDBFS as { readonly dbs: Readonly<Record<string, IDBDatabase>> } | undefined
    for (const connection of Object.values(own?.dbs ?? {})) connection.close()
  }

  /** Never rejects: PGlite would drop the error. Whoever waits has it from `flushes`, the host by its callback. */
  override syncToFs(): Promise<void> {
    return this.flushes.run(() => this.#files.flush()).then(() => this.#flushed(null), this.#flushed)
  }

  override closeFs(): Promise<void> {
    this.#files.close()
    return super.closeFs()
  }

  #root(mount: string): MemoryNode {
    // Emscripten's nodes are typed for its own use.
    return this.pg!.Module.FS.lookupPath(mount).node as unknown as MemoryNode
  }
}

/** What a new database starts from. Not for opfs-ahp: a second create in one worker hangs there when the first one fails. */
const prepared = async (kind: string, name: string): Promise<{ readonly loadDataDir?: File }> => {
  const isNew = kind === "memory" || (kind === "idb" && !(await existsInIndexedDb(name)))
  const dump = isNew ? await fetchPrepared() : null
  return dump === null ? {} : { loadDataDir: dump }
}

/** Opens or creates the database in `dataDir` (`idb://name`, `opfs-ahp://name`, `memory://`). */
export const openDatabase = async (
  dataDir: string,
  { durability, flushed }: OpenOptions,
): Promise<OpenDatabase> => {
  const { kind, name } = parseDataDir(dataDir) ?? { kind: "memory", name: "" }
  const options = {
    dataDir,
    relaxedDurability: true,
    extensions: { live, electric: electricSync() },
    ...databaseSettings(PGlite.defaultStartParams),
    ...(await prepared(kind, name)),
  }
  if (kind !== "idb") {
    const pglite = await PGlite.create(options)
    return { pglite, syncToFs: () => pglite.syncToFs() }
  }
  const fs = new WatchedIdbFs(name, flushed)
  const pglite = await PGlite.create({ ...options, fs }).catch((error: unknown) => {
    fs.abandon()
    throw error
  })
  const behind = new FlushBehind(async () => {
    const stored = fs.flushes.next()
    await pglite.syncToFs()
    await stored
  })
  const syncToFs = (): Promise<void> => behind.now()
  const abandon = (): void => {
    behind.close()
    fs.abandon()
  }
  const destroy = async (): Promise<void> => {
    abandon()
    await removeIndexedDb(name)
  }
  return durability === "strict"
    ? { pglite, syncToFs, abandon, destroy }
    : { pglite, syncToFs, abandon, destroy, flushSoon: (bytes) => behind.soon(bytes) }
}

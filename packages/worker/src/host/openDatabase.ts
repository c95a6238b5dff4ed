/**
 * Opens the browser's PGlite as the host needs it: extensions, relaxed durability, and flushes that are neither lost nor
 * taken for done too early. Used by `main.ts` only.
 *
 * Relaxed: a query's reply does not wait for IndexedDB, which takes a tenth of a second. But PGlite's own `syncToFs` then
 * waits for nothing either, while the store must not acknowledge a commit (least of all a wipe) that a reload would
 * undo. And PGlite flushes while Postgres goes on: it lists the data directory, waits for IndexedDB, and reads the
 * files; when Postgres removed one in between (it does on every change of the schema), the flush fails with ENOENT
 * and nobody tries again.
 */
import { IdbFs, PGlite } from "@electric-sql/pglite"
import { databaseSettings } from "@espalier/engine/pglite"
import { electricSync } from "@electric-sql/pglite-sync"
import { live } from "@electric-sql/pglite/live"
import { Flushes } from "./Flushes.ts"
import { existsInIndexedDb, fetchPrepared } from "./preparedDirectory.ts"
import type { OpenDatabase } from "./startHost.ts"

const idbPrefix = "idb://"

class WatchedIdbFs extends IdbFs {
  readonly flushes = new Flushes()

  override syncToFs(relaxedDurability?: boolean): Promise<void> {
    return this.flushes.run(() => super.syncToFs(relaxedDurability))
  }
}

const memoryPrefix = "memory://"

const isIdb = (dataDir: string): boolean => dataDir.length > idbPrefix.length && dataDir.startsWith(idbPrefix)

/** What a new database starts from. Not for opfs-ahp: a second create in one worker hangs there when the first one fails. */
const prepared = async (dataDir: string): Promise<{ readonly loadDataDir?: File }> => {
  const isNew =
    dataDir.startsWith(memoryPrefix) ||
    (isIdb(dataDir) && !(await existsInIndexedDb(dataDir.slice(idbPrefix.length))))
  const dump = isNew ? await fetchPrepared() : null
  return dump === null ? {} : { loadDataDir: dump }
}

/** Opens or creates the database in `dataDir` (`idb://name`, `opfs-ahp://name`, `memory://`). */
export const openDatabase = async (dataDir: string): Promise<OpenDatabase> => {
  const options = {
    dataDir,
    relaxedDurability: true,
    extensions: { live, electric: electricSync() },
    ...databaseSettings(PGlite.defaultStartParams),
    ...(await prepared(dataDir)),
  }
  if (!isIdb(dataDir)) {
    const pglite = await PGlite.create(options)
    return { pglite, syncToFs: () => pglite.syncToFs() }
  }
  const fs = new WatchedIdbFs(dataDir.slice(idbPrefix.length))
  const pglite = await PGlite.create({ ...options, fs })
  return {
    pglite,
    syncToFs: async () => {
      const stored = fs.flushes.next()
      await pglite.syncToFs()
      await stored
    },
  }
}

/**
 * Opens the browser's PGlite as the host needs it: extensions, relaxed durability, and flushes that are not
 * lost. Used by `main.ts` only.
 *
 * Relaxed: a reply does not wait for IndexedDB. Synced rows can be fetched again, and the store's commits
 * stay atomic. But PGlite then flushes while Postgres goes on: it lists the data directory, waits for
 * IndexedDB, and reads the files; when Postgres removed one in between (it does on every change of the
 * schema), the flush fails with ENOENT and nobody tries again. Hence the retry.
 */
import { IdbFs, PGlite } from "@electric-sql/pglite"
import { electricSync } from "@electric-sql/pglite-sync"
import { live } from "@electric-sql/pglite/live"
import { defaultRetryFlush, retryFlush } from "./retryFlush.ts"

const idbPrefix = "idb://"

class SteadyIdbFs extends IdbFs {
  override syncToFs(relaxedDurability?: boolean): Promise<void> {
    return retryFlush(() => super.syncToFs(relaxedDurability), defaultRetryFlush)
  }
}

/** Opens or creates the database in `dataDir` (`idb://name`, `opfs-ahp://name`, `memory://`). */
export const openDatabase = (dataDir: string): Promise<PGlite> =>
  PGlite.create({
    dataDir,
    ...(dataDir.length > idbPrefix.length && dataDir.startsWith(idbPrefix)
      ? { fs: new SteadyIdbFs(dataDir.slice(idbPrefix.length)) }
      : {}),
    relaxedDurability: true,
    extensions: { live, electric: electricSync() },
  })

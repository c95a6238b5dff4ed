/**
 * Entry of the worker bundle. Joins PGliteWorker's election; in the tab that wins, opens PGlite and starts the engine next to it. It only
 * launches: wiring is in `HostLayer`, serving in `TabServer`. Nothing imports it; esbuild bundles it.
 */
import { PGlite } from "@electric-sql/pglite"
import { electricSync } from "@electric-sql/pglite-sync"
import { live } from "@electric-sql/pglite/live"
import { worker } from "@electric-sql/pglite/worker"
import type { HostMeta } from "../protocol.ts"
import { browserEnvironment } from "./HostEnvironment.ts"
import { engineLayer, storeLayer } from "./HostLayer.ts"
import { startHost, type HostParts } from "./startHost.ts"

const parts: HostParts = {
  // Relaxed: a reply does not wait for IndexedDB. Synced rows can be fetched again; the store's commits stay atomic.
  openDatabase: (dataDir) =>
    PGlite.create({ dataDir, relaxedDurability: true, extensions: { live, electric: electricSync() } }),
  store: storeLayer,
  engine: engineLayer,
}

void worker({
  init: (options) => {
    // `meta` is untyped in PGliteWorker; the page half is its only writer.
    const meta = options.meta as HostMeta
    return startHost(meta, parts, browserEnvironment, crypto.randomUUID()).database
  },
})

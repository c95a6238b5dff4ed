/**
 * Entry of the worker bundle. Joins PGliteWorker's election; in the tab that wins, opens PGlite and starts
 * the engine next to it. It only launches: wiring is in `HostLayer`, serving in `TabServer`. Nothing imports
 * it; esbuild bundles it.
 */
import { worker } from "@electric-sql/pglite/worker"
import type { HostMeta } from "../protocol.ts"
import { browserEnvironment } from "./HostEnvironment.ts"
import { engineLayer, storeLayer } from "./HostLayer.ts"
import { openDatabase } from "./openDatabase.ts"
import { quarantineIndexedDb } from "./storage/quarantine.ts"
import { startHost } from "./startHost.ts"

void worker({
  init: (options) => {
    // `meta` is untyped in PGliteWorker; the page half is its only writer.
    const meta = options.meta as HostMeta
    const parts = { openDatabase, quarantine: quarantineIndexedDb, store: storeLayer, engine: engineLayer }
    return startHost(meta, parts, browserEnvironment, crypto.randomUUID()).database
  },
})

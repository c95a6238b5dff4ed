/**
 * The peer itself, `@electric-sql/pglite-sync`, over HTTP; and the statements it makes per change, for changes that arrive after the
 * first sync (its `apply.ts` 0.6.1: one `query` per message and one for its checkpoint, in one `transaction`). With identity
 * parsers, which make it faster than its defaults do.
 */
import { PGlite } from "@electric-sql/pglite"
import { electricSync } from "@electric-sql/pglite-sync"
import type { Results, Transaction } from "@electric-sql/pglite"
import type { ChangeMessage } from "@espalier/engine/protocol"
import { settings } from "../lib/ours.ts"
import { companyOf, wideColumns, wideDdl, wideTable } from "../lib/wideRows.ts"
import { identityParser } from "./officialClient.ts"

export type InsertMethod = "insert" | "json" | "csv"

const openPeer = (template: Blob) =>
  PGlite.create({ ...settings, loadDataDir: template, extensions: { electric: electricSync() } })

/** The peer on a copy of an empty database, with the table and its own bookkeeping in place. */
export const openPgliteSync = async (template: Blob) => {
  const pglite = await openPeer(template)
  await pglite.exec(wideDdl(wideTable))
  await pglite.electric.initMetadataTables()
  return pglite
}

export type Peer = Awaited<ReturnType<typeof openPgliteSync>>

/** Syncs shapes into one table until all have seen their up-to-date. Returns when to stop them. */
export const syncAll = async (
  peer: Peer,
  url: string,
  shapes: number,
  method: InsertMethod,
): Promise<() => void> => {
  const stops: Array<() => void> = []
  await new Promise<void>((resolve, reject) => {
    let missing = shapes
    const start = async (): Promise<void> => {
      for (let shape = 0; shape < shapes; shape += 1) {
        const sync = await peer.electric.syncShapeToTable({
          shape: {
            url,
            params: { table: wideTable, where: "company_id = $1", params: [companyOf(shape)] },
            parser: identityParser,
          },
          table: wideTable,
          primaryKey: ["id"],
          shapeKey: `shape-${shape}`,
          initialInsertMethod: method,
          onMustRefetch: () => Promise.resolve(),
          onInitialSync: () => {
            missing -= 1
            if (missing === 0) resolve()
          },
          onError: reject,
        })
        stops.push(() => sync.unsubscribe())
      }
    }
    start().catch(reject)
  })
  return () => stops.forEach((stop) => stop())
}

/** Applies log entries as the peer does, with its checkpoint. */
export const applyLikePeer = async (
  pglite: PGlite,
  messages: ReadonlyArray<ChangeMessage>,
  offset: string,
): Promise<void> => {
  await pglite.transaction(async (tx) => {
    await tx.exec(`SET LOCAL electric.syncing = true;`)
    for (const message of messages) await applyOne(tx, message)
    await tx.query(
      `INSERT INTO "electric"."subscriptions_metadata" (key, shape_metadata, last_lsn)
       VALUES ($1, $2, $3)
       ON CONFLICT(key) DO UPDATE SET shape_metadata = EXCLUDED.shape_metadata, last_lsn = EXCLUDED.last_lsn`,
      ["bench", { shape: { handle: "h", offset } }, "1"],
    )
  })
}

const applyOne = async (tx: Transaction, { headers, value }: ChangeMessage): Promise<Results | undefined> => {
  const columns = Object.keys(wideColumns).filter((column) => column !== "id" && column in value)
  if (headers.operation === "delete") {
    return tx.query(`DELETE FROM "public"."${wideTable}" WHERE "id" = $1`, [value["id"]])
  }
  const set = columns.map((column, index) => `"${column}" = $${index + 1}`).join(", ")
  return tx.query(`UPDATE "public"."${wideTable}" SET ${set} WHERE "id" = $${columns.length + 1}`, [
    ...columns.map((column) => value[column]),
    value["id"],
  ])
}

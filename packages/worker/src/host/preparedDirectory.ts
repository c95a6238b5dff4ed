/**
 * Fetches the prepared data directory that the build lays beside the bundle, for a database that does not exist yet. It only
 * saves time: whatever goes wrong here, the database is made from scratch instead. Used by `openDatabase` only.
 */

/** The same name as in `build/prepared.ts`. */
const preparedFile = "pglite.prepared.tar.gz"

const gzipMagic = [0x1f, 0x8b] as const

/** Whether IndexedDB already holds the database; true when the browser cannot tell, because loading over one is an error. */
export const existsInIndexedDb = async (name: string): Promise<boolean> => {
  if (typeof indexedDB.databases !== "function") return true
  const databases = await indexedDB.databases()
  return databases.some((database) => database.name === `/pglite/${name}`)
}

/** The dump, or null when there is none to be had. */
export const fetchPrepared = async (): Promise<File | null> => {
  try {
    const response = await fetch(new URL(`./${preparedFile}`, import.meta.url))
    if (!response.ok) return null
    const bytes = new Uint8Array(await response.arrayBuffer())
    // A server that announces the file as gzip-encoded has the browser unpack it; PGlite takes either.
    const packed = bytes[0] === gzipMagic[0] && bytes[1] === gzipMagic[1]
    return new File([bytes], packed ? "prepared.tar.gz" : "prepared.tar", {
      type: packed ? "application/x-gzip" : "application/x-tar",
    })
  } catch {
    return null
  }
}

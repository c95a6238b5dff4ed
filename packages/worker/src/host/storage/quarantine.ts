/**
 * Moves a database that does not open out of the way, so that a new one can be built under its name. What was there is kept under another
 * name for whoever wants to look, one per database, if there is room; rows of the server come again by themselves. IndexedDB only:
 * in the origin-private file system a failed opening keeps its files locked until the worker ends.
 */

/** Where the damaged database of a name is kept. Not under PGlite's own prefix, so that nothing opens it by mistake. */
export const quarantineName = (name: string): string => `espalier-damaged/${name}`

/** Larger databases are not kept: the copy goes through memory. */
const keptBytesMax = 128_000_000

const storeName = "FILE_DATA"

const done = <Value>(request: IDBRequest<Value>): Promise<Value> =>
  new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result))
    request.addEventListener("error", () => reject(request.error ?? new Error("the request failed")))
  })

const remove = (name: string): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(name)
    request.addEventListener("success", resolve)
    request.addEventListener("error", () => reject(request.error ?? new Error(`${name} was not deleted`)))
    request.addEventListener("blocked", () => reject(new Error(`${name} is still open elsewhere`)))
  })

const sizeOf = (entry: unknown): number =>
  typeof entry === "object" && entry !== null && "contents" in entry && ArrayBuffer.isView(entry.contents)
    ? entry.contents.byteLength
    : 0

/** Everything of one database, or null when that is too much. */
const readAll = async (name: string): Promise<ReadonlyArray<readonly [IDBValidKey, unknown]> | null> => {
  const database = await done(indexedDB.open(name))
  try {
    if (!database.objectStoreNames.contains(storeName)) return []
    const files = database.transaction(storeName, "readonly").objectStore(storeName)
    const [keys, entries] = await Promise.all([done(files.getAllKeys()), done(files.getAll())])
    const bytes = entries.reduce((sum: number, entry) => sum + sizeOf(entry), 0)
    return bytes > keptBytesMax ? null : keys.map((key, index) => [key, entries[index]] as const)
  } finally {
    database.close()
  }
}

const writeAll = async (
  name: string,
  entries: ReadonlyArray<readonly [IDBValidKey, unknown]>,
): Promise<void> => {
  const opening = indexedDB.open(name)
  opening.addEventListener("upgradeneeded", () => opening.result.createObjectStore(storeName))
  const database = await done(opening)
  try {
    const transaction = database.transaction(storeName, "readwrite")
    const files = transaction.objectStore(storeName)
    for (const [key, entry] of entries) files.put(entry, key)
    await new Promise<void>((resolve, reject) => {
      transaction.addEventListener("complete", () => resolve())
      transaction.addEventListener("abort", () => reject(transaction.error ?? new Error("not copied")))
    })
  } finally {
    database.close()
  }
}

/**
 * Frees the name of a database. Resolves with the name under which it is kept, or null when it could not be kept. Rejects when it cannot
 * be removed; then nothing can be built in its place.
 */
export const quarantineIndexedDb = async (name: string): Promise<string | null> => {
  const original = `/pglite/${name}`
  const aside = quarantineName(name)
  let kept: string | null = null
  try {
    await remove(aside)
    const entries = await readAll(original)
    if (entries !== null) {
      await writeAll(aside, entries)
      kept = aside
    }
  } catch {
    // The copy is a courtesy: storage that cannot be read, or is full, must not stand in the way of a new database.
    await remove(aside).catch(() => undefined)
  }
  await remove(original)
  return kept
}

/** Removes a database, and what was kept of a damaged one of its name. Every connection of this worker must be closed. */
export const removeIndexedDb = async (name: string): Promise<void> => {
  await Promise.all([remove(`/pglite/${name}`), remove(quarantineName(name))])
}

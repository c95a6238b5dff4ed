/**
 * Copies the files of a database from memory to IndexedDB, so that what lies there is at any time the image of one instant: the tree is
 * read and handed over in one turn, in which Postgres cannot run, and one transaction takes it in or does not. Postgres recovers
 * from such an image as from a crash.
 *
 * Exists because PGlite's own flush (Emscripten's IDBFS) lists the files, waits for IndexedDB, and reads them then: what Postgres did in
 * between is half there, and a checkpoint in between would leave a control file that is newer than the pages it vouches for. It also
 * reads the times of a thousand stored files each time; nobody else writes to this database, so they are remembered instead.
 * The format is IDBFS's, which reads it at the start.
 */

/** A file, directory or link of Emscripten's file system in memory, as far as it is used here. */
export interface MemoryNode {
  readonly id: number
  readonly mode: number
  /** Epoch milliseconds. */
  readonly mtime: number
  readonly usedBytes?: number
  /** Bytes of a file, maybe with room to grow; nodes by name of a directory. */
  readonly contents?: FileContents | Readonly<Record<string, MemoryNode>>
  readonly link?: string
}

/** What Emscripten keeps a file's bytes in: signed ones when they came in one write, numbers or nothing in some paths. */
type FileContents = Uint8Array | Int8Array | ReadonlyArray<number> | null

interface Stored {
  readonly id: number
  /** Null: changed within the clock's resolution, so it may have changed since. */
  readonly mtime: number | null
  /** Emscripten changes sizes (truncation, allocation) without touching the time. */
  readonly size: number
}

/** What a flush has to do. */
export interface FileChanges {
  readonly puts: ReadonlyArray<readonly [path: string, entry: object]>
  readonly deletes: ReadonlyArray<string>
  readonly stored: ReadonlyMap<string, Stored>
  readonly bytes: number
}

const sizeOf = (node: MemoryNode): number => node.usedBytes ?? 0

const typeMask = 0o170000
const isDirectory = (node: MemoryNode): boolean => (node.mode & typeMask) === 0o040000
const isLink = (node: MemoryNode): boolean => (node.mode & typeMask) === 0o120000

/** The exact bytes: a view would take the whole buffer with it. Only for files. */
const bytesOf = (node: MemoryNode): Uint8Array => {
  const contents = (node.contents ?? []) as Exclude<FileContents, null>
  const bytes =
    contents instanceof Int8Array
      ? new Uint8Array(contents.buffer, contents.byteOffset, contents.length)
      : contents
  const exact = bytes.slice(0, sizeOf(node))
  return exact instanceof Uint8Array ? exact : Uint8Array.from(exact)
}

const entryOf = (node: MemoryNode): object => {
  const head = { timestamp: new Date(node.mtime), mode: node.mode }
  if (isDirectory(node)) return head
  return isLink(node) ? { ...head, link: node.link } : { ...head, contents: bytesOf(node) }
}

const walk = (path: string, directory: MemoryNode, visit: (path: string, node: MemoryNode) => void): void => {
  for (const [name, node] of Object.entries(directory.contents ?? {}) as Array<[string, MemoryNode]>) {
    const at = `${path}/${name}`
    visit(at, node)
    if (isDirectory(node)) walk(at, node, visit)
  }
}

/** A directory's own time says nothing: what is in it is stored by its own path. */
const isStored = (node: MemoryNode, stored: Stored | undefined): boolean =>
  stored !== undefined &&
  stored.id === node.id &&
  (isDirectory(node) || (stored.mtime === node.mtime && stored.size === sizeOf(node)))

/**
 * What changed since `before`. `tick` is asked when something did: the clock's reading at or before any later change. Pure but for
 * the copies of bytes.
 */
export const changedFiles = (
  mount: string,
  root: MemoryNode,
  before: ReadonlyMap<string, Stored>,
  tick: () => number,
): FileChanges => {
  const puts: Array<readonly [string, object]> = []
  const stored = new Map<string, Stored>()
  let bytes = 0
  walk(mount, root, (path, node) => {
    const known = before.get(path)
    if (isStored(node, known)) {
      stored.set(path, known!)
      return
    }
    puts.push([path, entryOf(node)])
    bytes += isDirectory(node) ? 0 : (node.usedBytes ?? 0)
    stored.set(path, { id: node.id, mtime: node.mtime, size: sizeOf(node) })
  })
  const now = puts.length === 0 ? 0 : tick()
  for (const [path] of puts) {
    const own = stored.get(path)!
    if (own.mtime === null || own.mtime >= now) stored.set(path, { ...own, mtime: null })
  }
  const deletes = [...before.keys()].filter((path) => !stored.has(path))
  return { puts, deletes, stored, bytes }
}

/** Everything in memory, taken as stored: after the files were read from storage. */
export const takenAsStored = (mount: string, root: MemoryNode): ReadonlyMap<string, Stored> => {
  const stored = new Map<string, Stored>()
  walk(mount, root, (path, node) => stored.set(path, { id: node.id, mtime: node.mtime, size: sizeOf(node) }))
  return stored
}

/** IDBFS's names. */
const databaseVersion = 21
const storeName = "FILE_DATA"

/** The clock ticks in milliseconds; it is waited for no longer than this. */
const tickBoundMillis = 2

/** The next reading of the clock, so that files changed up to now are known to be older. */
const nextTick = (): number => {
  const from = Date.now()
  const start = performance.now()
  while (Date.now() === from && performance.now() - start < tickBoundMillis);
  return Date.now()
}

const openFiles = (name: string): Promise<IDBDatabase> =>
  new Promise((resolve, reject) => {
    const opening = indexedDB.open(name, databaseVersion)
    opening.addEventListener("upgradeneeded", () => {
      opening.result.createObjectStore(storeName).createIndex("timestamp", "timestamp", { unique: false })
    })
    opening.addEventListener("success", () => resolve(opening.result))
    opening.addEventListener("error", () => reject(opening.error ?? new Error("IndexedDB did not open")))
  })

/** The files of one database. One flush at a time; the caller sees to that. */
export class IndexedDbFiles {
  readonly #mount: string
  readonly #root: () => MemoryNode
  #stored: ReadonlyMap<string, Stored> = new Map()
  #database: Promise<IDBDatabase> | null = null
  #abandoned = false

  /** `mount` is both the path in memory and the name of the database. */
  constructor(mount: string, root: () => MemoryNode) {
    this.#mount = mount
    this.#root = root
  }

  /** Call when the files in memory were just read from storage. */
  loaded(): void {
    this.#stored = takenAsStored(this.#mount, this.#root())
  }

  /** Stores the files as they are when the database is at hand. Rejects with the browser's error; then nothing was stored. */
  async flush(): Promise<void> {
    if (this.#abandoned) return
    this.#database ??= this.#open()
    const database = await this.#database.catch((error: unknown) => {
      this.#database = null
      throw error
    })
    const changes = changedFiles(this.#mount, this.#root(), this.#stored, nextTick)
    if (changes.puts.length + changes.deletes.length === 0) return
    await new Promise<void>((resolve, reject) => {
      const transaction = database.transaction(storeName, "readwrite")
      const failed = (): void => reject(transaction.error ?? new Error("IndexedDB gave a transaction up"))
      transaction.addEventListener("complete", () => resolve())
      transaction.addEventListener("abort", failed)
      const files = transaction.objectStore(storeName)
      try {
        // A put copies its value before it returns.
        for (const [path, entry] of changes.puts) files.put(entry, path)
        for (const path of changes.deletes) files.delete(path)
      } catch (error) {
        // What was put so far would be stored without the rest.
        transaction.abort()
        reject(error as Error)
      }
    })
    this.#stored = changes.stored
  }

  async #open(): Promise<IDBDatabase> {
    const database = await openFiles(this.#mount)
    // The browser closes it when somebody clears the site's data: what is in memory is then all there is, and is stored anew.
    database.addEventListener("close", () => {
      this.#database = null
      this.#stored = new Map()
    })
    return database
  }

  /** Closes, and stores nothing from now on. */
  abandon(): void {
    this.#abandoned = true
    this.close()
  }

  close(): void {
    this.#database?.then(
      (database) => database.close(),
      () => undefined,
    )
  }
}

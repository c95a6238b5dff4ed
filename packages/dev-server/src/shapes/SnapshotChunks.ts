/**
 * The rows a shape begins with, in chunks that are never changed once closed. A small snapshot is kept in memory; a larger
 * one goes to files chunk by chunk, so that a table of any size costs the memory of one chunk. Chunks can be read while
 * later ones are still being made, the one being made too. Knows nothing of rows or SQL.
 */
import type { ChunkFiles } from "./SnapshotFiles.ts"

/** Bytes of JSON up to which a snapshot is kept in memory. */
export const maxSnapshotMemoryBytes = 1024 * 1024

/** The chunk being made. Readers keep it, so it outlives its closing. */
export interface OpenChunk {
  readonly messages: Array<string>
  isClosed: boolean
}

/** A snapshot as a store keeps it: its chunks, or how many files hold them. */
export type StoredSnapshot =
  | { readonly chunks: ReadonlyArray<ReadonlyArray<string>> }
  | { readonly files: number }

/** The body of an answer. */
export const toBody = (messages: ReadonlyArray<string>): string => `[${messages.join(separator)}]`

/** JSON has no line ends inside values, so a body can be taken apart at this again. */
export const separator = ",\n"

/** The messages of a body made by {@link toBody}. */
export const messagesOf = (body: string): ReadonlyArray<string> => {
  const inner = body.slice(1, -1)
  return inner === "" ? [] : inner.split(separator)
}

/** A snapshot, complete or being made. */
export class SnapshotChunks {
  readonly #chunkBytes: number
  readonly #files: ChunkFiles
  #chunks: Array<ReadonlyArray<string>> = []
  #fileCount = 0
  #memoryBytes = 0
  #open: OpenChunk = { messages: [], isClosed: false }
  #openBytes = 0
  #isComplete = false
  readonly #watchers = new Set<() => void>()

  constructor(chunkBytes: number, files: ChunkFiles) {
    this.#chunkBytes = chunkBytes
    this.#files = files
  }

  /** A snapshot as it was stored. */
  static restore(stored: StoredSnapshot, chunkBytes: number, files: ChunkFiles): SnapshotChunks {
    const snapshot = new SnapshotChunks(chunkBytes, files)
    if ("files" in stored) snapshot.#fileCount = stored.files
    else {
      snapshot.#chunks = [...stored.chunks]
      snapshot.#memoryBytes = stored.chunks.reduce((sum, chunk) => sum + bytesOf(chunk), 0)
    }
    snapshot.#isComplete = true
    return snapshot
  }

  /** Whether no row is missing. */
  get isComplete(): boolean {
    return this.#isComplete
  }

  /** Chunks that will not change any more. */
  get closedCount(): number {
    return this.#fileCount + this.#chunks.length
  }

  /** Bytes of JSON held in memory. */
  get memoryBytes(): number {
    return this.#memoryBytes + this.#openBytes
  }

  /** The chunk being made; it will have the number {@link closedCount}. */
  get open(): OpenChunk {
    return this.#open
  }

  /** Adds rows; the row that reaches the threshold closes its chunk (protocol reference §3.5). */
  async add(rows: Iterable<string>): Promise<void> {
    for (const row of rows) {
      this.#open.messages.push(row)
      this.#openBytes += Buffer.byteLength(row)
      if (this.#openBytes >= this.#chunkBytes) await this.#close(false)
    }
    this.#wake()
  }

  /** Ends the snapshot with its closing message. */
  async complete(closing: string): Promise<void> {
    this.#open.messages.push(closing)
    this.#openBytes += Buffer.byteLength(closing)
    await this.#close(true)
  }

  /** Whether nothing lies in files yet. */
  get isInMemory(): boolean {
    return this.#fileCount === 0
  }

  /** What a store keeps of a complete snapshot. */
  get stored(): StoredSnapshot {
    return this.#fileCount > 0 ? { files: this.#fileCount } : { chunks: this.#chunks }
  }

  /** The body of a closed chunk. Rejects when its file is gone. */
  body(index: number): Promise<string | Uint8Array> {
    const chunk = this.#chunks[index]
    return chunk === undefined ? this.#files.read(index) : Promise.resolve(toBody(chunk))
  }

  /** Calls `changed` at every change, until the function it returns is called. */
  watch(changed: () => void): () => void {
    this.#watchers.add(changed)
    return () => this.#watchers.delete(changed)
  }

  /** Gives up what lies in files, and lets everybody go who waits. */
  async discard(): Promise<void> {
    this.#wake()
    if (this.#fileCount > 0) await this.#files.remove()
  }

  /** `isLast`: nobody may take the chunk that would come next for one that will. */
  async #close(isLast: boolean): Promise<void> {
    const closing = this.#open
    if (this.#fileCount === 0 && this.#memoryBytes + this.#openBytes <= maxSnapshotMemoryBytes) {
      this.#chunks.push(closing.messages)
      this.#memoryBytes += this.#openBytes
    } else {
      for (const [index, chunk] of [...this.#chunks, closing.messages].entries()) {
        await this.#files.write(this.#fileCount + index, toBody(chunk))
      }
      this.#fileCount += this.#chunks.length + 1
      this.#chunks = []
      this.#memoryBytes = 0
    }
    closing.isClosed = true
    this.#isComplete = isLast
    this.#open = { messages: [], isClosed: false }
    this.#openBytes = 0
    this.#wake()
  }

  #wake(): void {
    for (const watcher of [...this.#watchers]) watcher()
  }
}

const bytesOf = (messages: ReadonlyArray<string>): number =>
  messages.reduce((sum, message) => sum + Buffer.byteLength(message), 0)

/**
 * What a data directory holds at the points of a run: copies it whenever a byte of it has changed since the last point. A process
 * that is killed leaves exactly this: what it has written to files, and nothing of its memory. Used by `crashPoints.ts`.
 */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { crc32 } from "node:zlib"

/** One point of a run, and the copy of the directory as it was then. Points without a change between them share one copy. */
export interface Point {
  readonly index: number
  /** The statement that was about to run. */
  readonly next: string
  readonly directory: string
}

interface Seen {
  readonly size: number
  readonly modified: bigint
  readonly read: bigint
  readonly sum: number
}

/** File times tick a few milliseconds apart: a file written shortly before it was read may have changed within one tick. */
const tickNanos = 50_000_000n

/** A folder for databases of a test, in memory where the machine has such a place. */
export const makeFolder = (): string =>
  mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "espalier-crash-"))

export class DirectoryStates {
  readonly points: Array<Point> = []
  readonly #directory: string
  readonly #copies: string
  #files = new Map<string, Seen>()
  #copied = 0

  /** Watches `directory`; copies go to folders named `copies` and a number. */
  constructor(directory: string, copies: string) {
    this.#directory = directory
    this.#copies = copies
  }

  /** Distinct states seen. */
  get states(): number {
    return this.#copied
  }

  /** Takes in the directory as it is now. */
  take(next: string): void {
    if (this.#changed() || this.#copied === 0) {
      this.#copied += 1
      cpSync(this.#directory, this.#copy(), { recursive: true })
    }
    this.points.push({ index: this.points.length, next, directory: this.#copy() })
  }

  /** Removes all copies. */
  remove(): void {
    for (; this.#copied > 0; this.#copied -= 1) rmSync(this.#copy(), { recursive: true, force: true })
  }

  #copy(): string {
    return `${this.#copies}${this.#copied}`
  }

  #changed(): boolean {
    const now = new Map<string, Seen>()
    let changed = false
    for (const entry of readdirSync(this.#directory, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const path = join(entry.parentPath, entry.name)
      const { mtimeNs: modified, size } = statSync(path, { bigint: true })
      const known = this.#files.get(path)
      const isOld = known !== undefined && known.modified === modified && known.read - modified > tickNanos
      if (known !== undefined && isOld && known.size === Number(size)) {
        now.set(path, known)
        continue
      }
      const sum = crc32(readFileSync(path))
      changed ||= known === undefined || known.sum !== sum || known.size !== Number(size)
      now.set(path, { size: Number(size), modified, sum, read: BigInt(Date.now()) * 1_000_000n })
    }
    changed ||= now.size !== this.#files.size
    this.#files = now
    return changed
  }
}

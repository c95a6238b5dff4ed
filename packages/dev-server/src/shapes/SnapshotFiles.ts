/**
 * Where chunks of large snapshots lie: one folder per server, one below it per handle, one file per chunk. The folder of a
 * server without a data directory is made in the system's temporary folder at the first chunk and goes with the server.
 */
import { existsSync } from "node:fs"
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** The files of one snapshot. */
export interface ChunkFiles {
  readonly write: (index: number, body: string) => Promise<void>
  readonly read: (index: number) => Promise<Uint8Array>
  readonly remove: () => Promise<void>
}

const fileName = (index: number): string => `${index}.json`

/** The files of one server. */
export class SnapshotFiles {
  /** `null` for a temporary folder. */
  readonly #kept: string | null
  #folder: Promise<string> | null = null

  /** @param kept a folder that outlives the server; `null` for a temporary one. */
  constructor(kept: string | null) {
    this.#kept = kept
  }

  /** Whether files are there again after a restart. */
  get isKept(): boolean {
    return this.#kept !== null
  }

  /** The files of one handle. */
  of(handle: string): ChunkFiles {
    const at = async (): Promise<string> => join(await this.#root(), handle)
    return {
      write: async (index, body) => {
        const folder = await at()
        await mkdir(folder, { recursive: true })
        await writeFile(join(folder, fileName(index)), body)
      },
      read: async (index) => readFile(join(await at(), fileName(index))),
      remove: async () => rm(await at(), { recursive: true, force: true }),
    }
  }

  /** Whether all `count` files of a handle are there. */
  async has(handle: string, count: number): Promise<boolean> {
    if (this.#kept === null) return false
    const folder = join(await this.#root(), handle)
    return Array.from({ length: count }, (_, index) => fileName(index)).every((name) =>
      existsSync(join(folder, name)),
    )
  }

  /** Removes what no handle of `handles` owns: leavings of a server that was killed. */
  async retain(handles: ReadonlySet<string>): Promise<void> {
    if (this.#kept === null || !existsSync(this.#kept)) return
    for (const name of await readdir(this.#kept)) {
      if (!handles.has(name)) await rm(join(this.#kept, name), { recursive: true, force: true })
    }
  }

  /** Removes a temporary folder. */
  async close(): Promise<void> {
    if (this.#kept === null && this.#folder !== null)
      await rm(await this.#folder, { recursive: true, force: true })
  }

  #root(): Promise<string> {
    this.#folder ??=
      this.#kept === null ? mkdtemp(join(tmpdir(), "espalier-snapshots-")) : Promise.resolve(this.#kept)
    return this.#folder
  }
}

/**
 * The event journal: a ring of lines saying what the engine decided and why. The panel, `explain` and a failing test
 * print the same lines. Holds no row values.
 */
import type { JournalEntry } from "../protocol/InstanceStatus.ts"

export class Journal {
  readonly #capacity: number
  readonly #entries: Array<JournalEntry> = []
  #next = 0

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  add(at: number, key: string | null, event: string, detail: string): void {
    const entry: JournalEntry = { seq: this.#next, at, key, event, detail }
    this.#entries[this.#next % this.#capacity] = entry
    this.#next++
  }

  /** Oldest first. */
  entries(key?: string): ReadonlyArray<JournalEntry> {
    const start = this.#next % this.#capacity
    const ordered =
      this.#next <= this.#capacity
        ? [...this.#entries]
        : [...this.#entries.slice(start), ...this.#entries.slice(0, start)]
    return key === undefined ? ordered : ordered.filter((entry) => entry.key === key)
  }
}

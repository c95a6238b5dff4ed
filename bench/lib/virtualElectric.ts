/**
 * A shape server on virtual time, behind `fetch`: one row per shape that can be changed, long polls, and the faults of a server
 * that goes away. Notes every request with its time, and how many were open at once. Knows the graph of `manyCompanies.ts`.
 */
import { companyId, mineKey, userId } from "./manyCompanies.ts"
import type { VirtualTime } from "./virtualTime.ts"

/** What the server does with requests now. */
export type Mode =
  | { readonly _tag: "Answers" }
  | { readonly _tag: "Refuses" }
  | { readonly _tag: "Busy"; readonly retryAfterSeconds: number }

export interface Sent {
  readonly at: number
  readonly key: string
  readonly live: boolean
}

const pollMillis = 20_000
export const latencyMillis = 20

interface Waiting {
  readonly changed: () => void
  readonly fail: () => void
}

export class VirtualElectric {
  mode: Mode = { _tag: "Answers" }
  readonly sent: Array<Sent> = []
  open = 0
  maxOpen = 0
  readonly #time: VirtualTime
  readonly #companies: number
  /** How often each shape's row was changed. */
  readonly #versions = new Map<string, number>()
  readonly #waiting = new Map<string, Set<Waiting>>()

  constructor(time: VirtualTime, companies: number) {
    this.#time = time
    this.#companies = companies
  }

  version(key: string): number {
    return this.#versions.get(key) ?? 1
  }

  /** Changes the row of a shape; a poll that waits is answered. */
  change(key: string): void {
    this.#versions.set(key, this.version(key) + 1)
    for (const waiting of [...(this.#waiting.get(key) ?? [])]) waiting.changed()
  }

  /** The server goes away: every open request fails. */
  fall(): void {
    this.mode = { _tag: "Refuses" }
    for (const set of [...this.#waiting.values()]) for (const waiting of [...set]) waiting.fail()
  }

  readonly fetch: typeof globalThis.fetch = async (input, init) => {
    const query = new URL(input instanceof Request ? input.url : input).searchParams
    const key = query.get("table") === "companies" ? `company-${query.get("params[1]")}` : mineKey
    const live = query.get("live") === "true"
    this.sent.push({ at: this.#time.now, key, live })
    this.open += 1
    this.maxOpen = Math.max(this.maxOpen, this.open)
    let isOpen = true
    const close = (): void => {
      if (isOpen) this.open -= 1
      isOpen = false
    }
    // Aborted is closed, though whoever waits for it hears of it a little later.
    onAbort(init?.signal, close)
    try {
      await this.#pause(latencyMillis, init?.signal)
      return await this.#answer(key, live, query.get("offset") ?? "-1", init?.signal)
    } finally {
      close()
    }
  }

  async #answer(key: string, live: boolean, offset: string, signal: AbortSignal | null | undefined) {
    if (this.mode._tag === "Refuses") throw new TypeError("fetch failed")
    if (this.mode._tag === "Busy")
      return new Response("busy", {
        status: 503,
        headers: { "retry-after": String(this.mode.retryAfterSeconds) },
      })
    const known = offset === "-1" ? 0 : Number(offset.split("_")[0])
    if (live && known >= this.version(key)) await this.#poll(key, signal)
    const version = this.version(key)
    const rows = known === 0 ? this.#snapshot(key) : known < version ? [this.#update(key, version)] : []
    return Response.json([...rows, { headers: { control: "up-to-date", global_last_seen_lsn: "0" } }], {
      headers: {
        "electric-handle": `h-${key}`,
        "electric-offset": `${version}_0`,
        "electric-cursor": "1",
        "electric-schema": "{}",
        "electric-up-to-date": "",
      },
    })
  }

  #snapshot(key: string) {
    const rows =
      key === mineKey
        ? Array.from({ length: this.#companies }, (_, index) => ({
            id: `m${index}`,
            company_id: companyId(index),
            user_id: userId,
          }))
        : [{ id: key.slice("company-".length), name: "new" }]
    return rows.map((value) => ({ key: value.id, value, headers: { operation: "insert" } }))
  }

  #update(key: string, version: number) {
    const id = key.slice("company-".length)
    return {
      key: id,
      value: { id, name: `v${version}` },
      headers: { operation: "update", lsn: String(version), op_position: 0, txids: [version] },
    }
  }

  #pause(millis: number, signal: AbortSignal | null | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const giveUp = this.#time.after(millis, resolve)
      onAbort(signal, () => {
        giveUp()
        reject(aborted())
      })
    })
  }

  #poll(key: string, signal: AbortSignal | null | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const set = this.#waiting.get(key) ?? new Set<Waiting>()
      this.#waiting.set(key, set)
      const end = (settle: () => void) => () => {
        set.delete(waiting)
        giveUp()
        settle()
      }
      const waiting: Waiting = {
        changed: end(resolve),
        fail: end(() => reject(new TypeError("fetch failed"))),
      }
      const giveUp = this.#time.after(pollMillis, waiting.changed)
      set.add(waiting)
      onAbort(
        signal,
        end(() => reject(aborted())),
      )
    })
  }
}

const aborted = (): DOMException => new DOMException("aborted", "AbortError")

const onAbort = (signal: AbortSignal | null | undefined, act: () => void): void => {
  if (signal?.aborted === true) act()
  else signal?.addEventListener("abort", act, { once: true })
}

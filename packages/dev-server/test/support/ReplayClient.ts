/**
 * A reference client: follows one shape over HTTP and hands every message to a {@link Replica}.
 */
import { type Message, Replica } from "./Replica.ts"

const maxRequestsPerCatchUp = 200

/** Follows one shape. */
export class ReplayClient {
  readonly replica: Replica
  readonly history: Array<string> = []
  handle: string | null = null
  offset = "-1"
  refetches = 0
  readonly #url: string
  readonly #query: Readonly<Record<string, string>>

  constructor(url: string, query: Readonly<Record<string, string>>, replica = new Replica()) {
    this.replica = replica
    this.#url = url
    this.#query = query
  }

  /** Rows by key, values only. */
  get values(): ReadonlyArray<Record<string, string | null>> {
    return this.replica.values
  }

  /** The same client against another server, with all it holds. */
  movedTo(url: string, query: Readonly<Record<string, string>>): ReplayClient {
    const moved = new ReplayClient(url, query, this.replica)
    moved.handle = this.handle
    moved.offset = this.offset
    return moved
  }

  /** Requests until up to date. */
  async catchUp(live = false): Promise<void> {
    for (let n = 0; n < maxRequestsPerCatchUp; n += 1) {
      if ((await this.request(live && this.offset !== "-1")).isUpToDate) return
    }
    throw new Error(`never up to date: ${JSON.stringify(this.#query)}`)
  }

  /** Makes one request and applies its answer. */
  async request(
    live: boolean,
    signal?: AbortSignal,
  ): Promise<{ readonly isUpToDate: boolean; readonly status: number }> {
    const search = new URLSearchParams({ ...this.#query, offset: this.offset })
    if (this.handle !== null && this.offset !== "-1") search.set("handle", this.handle)
    if (live) search.set("live", "true")
    const response = await fetch(`${this.#url}/v1/shape?${search}`, signal === undefined ? {} : { signal })
    const body: unknown = await response.json()
    if (response.status === 409) {
      this.history.push("409")
      this.replica.clear()
      this.offset = "-1"
      this.handle = null
      this.refetches += 1
      return { isUpToDate: false, status: 409 }
    }
    if (response.status !== 200) throw new Error(`${response.status}: ${JSON.stringify(body)}`)
    const handle = response.headers.get("electric-handle")
    if (this.handle !== null && handle !== this.handle)
      throw new Error("the handle changed without a must-refetch")
    this.handle = handle
    this.offset = response.headers.get("electric-offset") ?? this.offset
    let isUpToDate = false
    for (const message of body as ReadonlyArray<Message>) {
      this.history.push(JSON.stringify(message))
      isUpToDate = message.headers.control === "up-to-date"
      this.replica.apply(message)
    }
    return { isUpToDate, status: 200 }
  }
}

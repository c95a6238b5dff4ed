/**
 * A reference client: follows one shape over HTTP and holds what the protocol says a client must hold, tags included
 * (protocol reference §6.2). Strict: it throws where a server's log makes no sense (an update of an unknown row, a second
 * insert of a held one), so that a test that merely converges by luck fails.
 */

interface Message {
  readonly key?: string
  readonly value?: Record<string, string | null>
  readonly headers: {
    readonly operation?: "insert" | "update" | "delete"
    readonly control?: string
    readonly event?: "move-in" | "move-out"
    readonly patterns?: ReadonlyArray<{ readonly pos: number; readonly value: string }>
    readonly tags?: ReadonlyArray<string>
    readonly active_conditions?: ReadonlyArray<boolean>
    readonly is_move_in?: boolean
    readonly lsn?: string
    readonly op_position?: number
  }
}

interface HeldRow {
  value: Record<string, string | null>
  /** Per disjunct: the slots of its tag. */
  tags: ReadonlyArray<ReadonlyArray<string>>
  conditions: Array<boolean>
}

const maxRequestsPerCatchUp = 200

/** Follows one shape. */
export class ReplayClient {
  readonly rows = new Map<string, HeldRow>()
  readonly history: Array<string> = []
  handle: string | null = null
  offset = "-1"
  refetches = 0
  readonly #url: string
  readonly #query: Readonly<Record<string, string>>
  #lastLogOffset: readonly [bigint, number] = [0n, -1]

  constructor(url: string, query: Readonly<Record<string, string>>) {
    this.#url = url
    this.#query = query
  }

  /** Rows by key, values only. */
  get values(): ReadonlyArray<Record<string, string | null>> {
    return [...this.rows.values()].map((row) => row.value)
  }

  /** Requests until up to date. */
  async catchUp(live = false): Promise<void> {
    for (let n = 0; n < maxRequestsPerCatchUp; n += 1) {
      if ((await this.request(live && this.offset !== "-1")).isUpToDate) return
    }
    throw new Error(`never up to date: ${JSON.stringify(this.#query)}`)
  }

  /** Makes one request and applies its answer. */
  async request(live: boolean, signal?: AbortSignal): Promise<{ readonly isUpToDate: boolean; readonly status: number }> {
    const search = new URLSearchParams({ ...this.#query, offset: this.offset })
    if (this.handle !== null && this.offset !== "-1") search.set("handle", this.handle)
    if (live) search.set("live", "true")
    const response = await fetch(`${this.#url}/v1/shape?${search}`, signal === undefined ? {} : { signal })
    const body: unknown = await response.json()
    if (response.status === 409) {
      this.history.push("409")
      this.rows.clear()
      this.offset = "-1"
      this.handle = null
      this.refetches += 1
      this.#lastLogOffset = [0n, -1]
      return { isUpToDate: false, status: 409 }
    }
    if (response.status !== 200) throw new Error(`${response.status}: ${JSON.stringify(body)}`)
    const handle = response.headers.get("electric-handle")
    if (this.handle !== null && handle !== this.handle) throw new Error("the handle changed without a must-refetch")
    this.handle = handle
    this.offset = response.headers.get("electric-offset") ?? this.offset
    let isUpToDate = false
    for (const message of body as ReadonlyArray<Message>) {
      this.history.push(JSON.stringify(message))
      isUpToDate = message.headers.control === "up-to-date"
      this.#apply(message)
    }
    return { isUpToDate, status: 200 }
  }

  #apply(message: Message): void {
    const { headers } = message
    if (headers.event !== undefined) return this.#move(headers.event, headers.patterns ?? [])
    if (headers.operation === undefined || message.key === undefined) return
    this.#checkOrder(message)
    const held = this.rows.get(message.key)
    if (headers.operation === "delete") {
      if (held === undefined) throw new Error(`delete of a row that is not held: ${JSON.stringify(message)}`)
      this.rows.delete(message.key)
      return
    }
    if (headers.operation === "update" && held === undefined) {
      throw new Error(`update of a row that is not held: ${JSON.stringify(message)}`)
    }
    if (headers.operation === "insert" && held !== undefined) {
      throw new Error(`insert of a held row: ${JSON.stringify(message)}`)
    }
    this.rows.set(message.key, {
      value: { ...held?.value, ...message.value },
      tags: (headers.tags ?? []).map((tag) => tag.split("/")),
      conditions: [...(headers.active_conditions ?? [])],
    })
  }

  #checkOrder(message: Message): void {
    if (message.headers.lsn === undefined) return
    const now = [BigInt(message.headers.lsn), message.headers.op_position ?? -1] as const
    const [lsn, op] = this.#lastLogOffset
    if (now[0] < lsn || (now[0] === lsn && now[1] <= op)) throw new Error(`offsets run backwards: ${JSON.stringify(message)}`)
    this.#lastLogOffset = now
  }

  #move(event: "move-in" | "move-out", patterns: ReadonlyArray<{ readonly pos: number; readonly value: string }>): void {
    for (const { pos, value } of patterns) {
      for (const [key, row] of this.rows) {
        if (!row.tags.some((slots) => slots[pos] === value)) continue
        row.conditions[pos] = event === "move-in"
        if (!isVisible(row)) this.rows.delete(key)
      }
    }
  }
}

const isVisible = (row: HeldRow): boolean =>
  row.tags.some((slots) => slots.every((slot, position) => slot === "" || row.conditions[position] === true))

/**
 * What the protocol says a client must hold of one shape, tags included (protocol reference §6.2). Strict: it throws where
 * a log makes no sense (an update of an unknown row, a second insert of a held one, offsets that run backwards), so that a
 * test that merely converges by luck fails.
 */

/** A message of the wire. */
export interface Message {
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

/** The rows of one shape. */
export class Replica {
  readonly rows = new Map<string, HeldRow>()
  #lastLogOffset: readonly [bigint, number] = [0n, -1]

  /** Rows, values only. */
  get values(): ReadonlyArray<Record<string, string | null>> {
    return [...this.rows.values()].map((row) => row.value)
  }

  /** Forgets everything, as a must-refetch asks. */
  clear(): void {
    this.rows.clear()
    this.#lastLogOffset = [0n, -1]
  }

  /** Takes one message. */
  apply(message: Message): void {
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
    if (now[0] < lsn || (now[0] === lsn && now[1] <= op))
      throw new Error(`offsets run backwards: ${JSON.stringify(message)}`)
    this.#lastLogOffset = now
  }

  #move(
    event: "move-in" | "move-out",
    patterns: ReadonlyArray<{ readonly pos: number; readonly value: string }>,
  ): void {
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

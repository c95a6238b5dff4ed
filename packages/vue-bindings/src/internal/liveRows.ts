/**
 * What `useRows` and `useLiveQuery` share: a live read of local SQL with structural sharing, re-run by commit
 * notices, whose "empty" is a fact. Rows are never called empty while what feeds them is still on its way,
 * nor from a read that began before it had arrived.
 */
import { computed, onScopeDispose, shallowRef, watch, type ComputedRef, type ShallowRef } from "vue"
import type { CommitNotice, EngineClient } from "@espalier/worker"
import type { Espalier } from "../injection.ts"
import { awaitable, type AwaitableRows } from "./awaitable.ts"
import { fromSubscription, isServer } from "./fromSubscription.ts"
import { liveRead } from "./liveRead.ts"
import type { RowsAsk } from "./rowsQuery.ts"
import { rowsReader } from "./rowsReader.ts"
import { shareRows } from "./share.ts"
import type { Supply } from "./supply.ts"

/**
 * How long a missing instance may still appear (its parent's row has just come) before "absent" counts as
 * empty.
 */
export const absenceGraceMillis = 500

/**
 * What feeds the rows failed for good before it ever held any; `key` names the instance, `reason` the
 * engine's reason.
 */
export class RowsUnavailable extends Error {
  readonly _tag = "RowsUnavailable"
  readonly key: string
  readonly reason: string
  constructor(key: string, reason: string, message: string) {
    super(`${key}: ${message}`)
    this.name = "RowsUnavailable"
    this.key = key
    this.reason = reason
  }
}

/** Live rows. While `rows` is empty exactly one of `pending`, `error` and `isEmpty` explains why. */
export interface LiveRows<Row> {
  /** Rows that did not change keep their identity from one result to the next. */
  readonly rows: Readonly<ShallowRef<ReadonlyArray<Row>>>
  /** No answer to the current question yet, or an empty one while rows are still on their way. */
  readonly pending: ComputedRef<boolean>
  /** The last read failed, an option is invalid, or the source of the rows halted before there were any. */
  readonly error: ComputedRef<Error | null>
  /** There are no rows, and that is a fact: everything that could bring some is up to date. */
  readonly isEmpty: ComputedRef<boolean>
  /** Reads again now; resolves when a read that began after the call has landed. */
  readonly refresh: () => Promise<void>
}

export interface LiveRowsOptions {
  readonly espalier: Espalier
  /** The query; null while something it needs is not known. Tracked, may throw. */
  readonly ask: (client: EngineClient) => RowsAsk | null
  /** Tracked. */
  readonly supply: () => Supply
  /** About how many rows there are, as far as the status says; not tracked. Default: few. */
  readonly size?: () => number
  /** Read when a read starts: what makes a row of the result. Default: the row as it comes. */
  readonly decode?: () => ((row: object) => object) | null
}

/** True once `absent` has lasted for the grace. */
const afterGrace = (isAbsent: () => boolean): Readonly<ShallowRef<boolean>> => {
  const over = shallowRef(false)
  if (isServer()) return over
  let timer: ReturnType<typeof setTimeout> | undefined
  const restart = (absent: boolean): void => {
    clearTimeout(timer)
    over.value = false
    if (absent) timer = setTimeout(() => (over.value = true), absenceGraceMillis)
  }
  watch(isAbsent, restart, { immediate: true, flush: "sync" })
  onScopeDispose(() => clearTimeout(timer))
  return over
}

export const liveRows = <Row extends object>(options: LiveRowsOptions): AwaitableRows<Row> => {
  const { espalier } = options
  const reader = rowsReader<Row>({
    tables: Object.keys(espalier.graph.tables),
    size: options.size ?? (() => 0),
  })
  const supply = computed(options.supply)
  const graceOver = afterGrace(() => supply.value.is === "absent")
  const arrived = computed(
    () => supply.value.is === "settled" || (supply.value.is === "absent" && graceOver.value),
  )

  const read = liveRead<RowsAsk, ReadonlyArray<Row>>({
    client: espalier.client,
    ask: options.ask,
    read: async (client, ask) => {
      const decode = options.decode?.() ?? null
      const rows = await reader.read(client, ask)
      return decode === null ? rows : rows.map((row) => decode(row) as Row)
    },
    none: [],
    share: (previous, next, ask) => shareRows(previous, next, ask.key),
    stamp: () => arrived.value,
  })

  const notice = fromSubscription<EngineClient, CommitNotice | null>({
    source: () => espalier.client.value,
    absent: null,
    current: () => null,
    subscribe: (client, emit) => client.onCommit(emit),
  })
  const concerns = (tables: ReadonlyArray<string>): boolean =>
    read.question.value?.tables.some((table) => tables.includes(table)) ?? false
  if (!isServer()) {
    watch(
      notice,
      (next) => {
        if (next === null) return
        reader.touch(next.tables)
        if (concerns(next.tables)) read.invalidate()
      },
      { flush: "sync" },
    )
    // "Up to date" may be announced before the read that sees its rows: an empty answer from before does not
    // count.
    watch(
      arrived,
      (now) => {
        if (now && read.answer.value.length === 0 && !read.stamped.value) read.invalidate()
      },
      { flush: "sync" },
    )
  }

  const unavailable = computed(() => {
    const now = supply.value
    if (now.is !== "failed" || !read.answered.value || read.answer.value.length > 0) return null
    return new RowsUnavailable(
      now.key,
      now.error?.reason ?? "Unknown",
      now.error?.message ?? "halted without rows",
    )
  })
  const error = computed(() => read.error.value ?? unavailable.value)
  const pending = computed(() => {
    if (!read.answered.value) return true
    return error.value === null && read.answer.value.length === 0 && !read.stamped.value
  })
  const isEmpty = computed(() => !pending.value && error.value === null && read.answer.value.length === 0)
  return awaitable({ rows: read.answer, pending, error, isEmpty, refresh: read.refresh })
}

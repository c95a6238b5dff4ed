/**
 * The invariants of the store, checked around every write against the model server: what an instance holds is exactly what its
 * checkpoint says, rows are there iff somebody holds them, no row is older than a holder knows, nothing blinks, what is revoked
 * goes as one. Exists apart from the engine's invariants because these need no engine. Reads only.
 */
import * as Effect from "effect/Effect"
import { decodeKey, encodeKey, type RowKey } from "../../adapters/store/rowKey.ts"
import type { GraphData } from "../../graph/Graph.ts"
import { ownedNodes } from "../../graph/SyncGraph.ts"
import type { CommitResult, InstanceCommit, StoredInstance } from "../../ports/LocalStore.ts"
import type { TextRow } from "../../protocol/Message.ts"
import type { InstanceKey } from "../../protocol/Shape.ts"
import type { Texts } from "../model/filters.ts"
import { viewAt } from "../model/answers.ts"
import type { ModelServer } from "../model/ModelServer.ts"
import { bindingsIn } from "../model/Oracle.ts"
import type { SimStore } from "./GuardedStore.ts"
import { readableProblem } from "./readable.ts"
import type { Report } from "./violations.ts"

type View = ReadonlyMap<RowKey, number>

/** An instance as it was last seen in the store. */
interface Known {
  readonly stored: StoredInstance
  readonly view: View
  /** Its first snapshot is not complete, so its rows cannot be ranked yet. */
  readonly open: boolean
}

export interface StoreWatchOptions {
  readonly graph: GraphData
  readonly server: ModelServer
  readonly store: SimStore
  readonly report: Report
  readonly snapshotChunk: number
}

export class InstanceWatch {
  readonly known = new Map<InstanceKey, Known>()
  readonly #options: StoreWatchOptions
  /** The version each readable row showed last, by table. */
  readonly #readable = new Map<string, Map<RowKey, number>>()
  /** The readable rows as they were last, by table. */
  readonly #rows = new Map<string, ReadonlyArray<TextRow>>()

  constructor(options: StoreWatchOptions) {
    this.#options = options
  }

  /** The readable rows of a table after the last write. */
  rows(table: string): ReadonlyArray<TextRow> {
    return this.#rows.get(table) ?? []
  }

  readonly afterCommit = (shares: ReadonlyArray<InstanceCommit>, result: CommitResult) =>
    Effect.gen({ self: this }, function* () {
      const { report } = this.#options
      for (const outcome of result.outcomes) {
        // Log that is delivered twice may name a row that has left meanwhile; the answer is a refetch.
        if (outcome._tag === "Rejected" && !(outcome.kind === "unknown-row" && this.#options.server.repeated))
          report("no-rejected-share", `${outcome.key}: ${outcome.kind}: ${outcome.message}`)
      }
      yield* this.#check(
        shares.map(({ instance }) => instance.key),
        result,
      )
    })

  readonly afterCollect = (keys: ReadonlyArray<InstanceKey>, result: CommitResult) =>
    Effect.gen({ self: this }, function* () {
      const below = keys.flatMap((key) => this.#below(key))
      yield* this.#check(keys, result)
      for (const { key, node, bindings } of below) {
        const left = [...this.known.values()].find(({ stored }) => isOf(stored, node, bindings))
        if (left !== undefined && !this.known.has(key) && !this.isDemanded(left.stored))
          this.#options.report("revoked-goes-as-one", `${left.stored.key} is left without ${key}`)
      }
    })

  readonly afterDiscard = (key: InstanceKey) => this.#check([key], null)

  readonly afterWipe = Effect.suspend(() => this.#checkWiped())

  #checkWiped(): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function* () {
      const left = yield* this.#options.store.store().instances
      if (left.length > 0) this.#options.report("wiped", `${left.length} instances are left after a wipe`)
      this.known.clear()
      this.#readable.clear()
      this.#rows.clear()
    })
  }

  /** The process died and the store was opened again: everything as the last durable write left it. */
  readonly afterReopen = () =>
    Effect.gen({ self: this }, function* () {
      const stored = yield* this.#options.store.store().instances
      yield* this.#check([...new Set([...this.known.keys(), ...stored.map(({ key }) => key)])], null)
    })

  /** Binding values that an instance's held rows supply to an owned node. */
  demands(owner: InstanceKey, owned: string): ReadonlyArray<Readonly<Record<string, string>>> {
    const known = this.known.get(owner)
    const { graph, server } = this.#options
    const from = graph.tables[known?.stored.table ?? ""]?.from ?? ""
    if (known === undefined) return []
    const rows: Array<TextRow> = []
    for (const [key, seq] of known.view) {
      const version = server.database.history(from, key).find((one) => one.seq === seq)
      if (version !== undefined) rows.push(version.row)
    }
    return bindingsIn(graph, owned, rows)
  }

  #check(keys: ReadonlyArray<InstanceKey>, result: CommitResult | null): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function* () {
      const { graph, store } = this.#options
      const stored = new Map((yield* store.store().instances).map((instance) => [instance.key, instance]))
      const tables = new Set<string>()
      for (const key of keys) {
        const now = stored.get(key)
        tables.add(now?.table ?? this.known.get(key)?.stored.table ?? "")
        if (now === undefined) this.known.delete(key)
        else yield* this.#checkInstance(now)
      }
      for (const table of tables)
        if (graph.tables[table] !== undefined) yield* this.#checkTable(table, result)
    })
  }

  #checkInstance(stored: StoredInstance): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function* () {
      const { report, server, snapshotChunk, store } = this.#options
      const { checkpoint, key } = stored
      const held = (yield* store.store().heldKeys(key)).map(encodeKey)
      const before = this.known.get(key)
      const log = checkpoint === null ? null : server.log(checkpoint.handle)
      if (checkpoint !== null && log === null)
        report("checkpoint-exists", `${key}: no handle ${checkpoint.handle}`)
      if (checkpoint !== null && before?.stored.checkpoint?.handle === checkpoint.handle)
        if (position(checkpoint.offset) < position(before.stored.checkpoint.offset))
          report(
            "offset-never-back",
            `${key}: from ${before.stored.checkpoint.offset} to ${checkpoint.offset}`,
          )
      const view: View =
        log === null || checkpoint === null
          ? (before?.view ?? new Map())
          : (viewAt(log, checkpoint.offset, snapshotChunk) ?? new Map())
      const difference = differenceOf(held, view)
      if (difference !== null)
        report(
          checkpoint === null ? "no-blink" : "rows-match-checkpoint",
          `${key} at ${checkpoint?.handle ?? "no handle"} ${checkpoint?.offset ?? ""}: ${difference}`,
        )
      this.known.set(key, {
        stored,
        view,
        open: checkpoint?.offset.startsWith("0_") === true && !stored.complete,
      })
    })
  }

  #checkTable(table: string, result: CommitResult | null): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function* () {
      const { graph, report, server, store } = this.#options
      const holders = [...this.known.values()].filter(({ stored }) => stored.table === table)
      const readable = this.#readable.get(table) ?? new Map<RowKey, number>()
      const rows = yield* store.rows(table)
      const found = yield* readableProblem({
        ...{ graph, table, holders, readable, rows },
        database: server.database,
      })
      for (const { invariant, message } of found.problems) report(invariant, `${table}: ${message}`)
      const isSame = JSON.stringify(rows) === JSON.stringify(this.rows(table))
      if (result !== null && !isSame && result.changes[table] === undefined)
        report("changes-are-told", `rows of ${table} changed and the result does not say so`)
      this.#readable.set(table, found.readable)
      this.#rows.set(table, rows)
    })
  }

  /** What the rows of an instance demand, apart from what may be kept for longer on its own account. */
  #below(
    key: InstanceKey,
  ): ReadonlyArray<{ readonly key: InstanceKey; readonly node: string; readonly bindings: Texts }> {
    const { graph } = this.#options
    const node = graph.nodes[this.known.get(key)?.stored.node ?? ""]
    if (node === undefined) return []
    return ownedNodes(graph, node.id)
      .filter((owned) => (graph.nodes[owned]?.keepForMillis ?? 0) <= node.keepForMillis)
      .flatMap((owned) => this.demands(key, owned).map((bindings) => ({ key, node: owned, bindings })))
  }

  /** Whether rows that some stored owner holds ask for this instance. */
  isDemanded({ bindings, node }: Pick<StoredInstance, "bindings" | "node">): boolean {
    const owner = this.#options.graph.nodes[node]?.owner ?? null
    if (owner === null) return true
    return [...this.known.values()].some(
      ({ stored }) =>
        stored.node === owner &&
        this.demands(stored.key, node).some((values) => isOf({ node, bindings }, node, values)),
    )
  }
}

const isOf = (instance: Pick<StoredInstance, "bindings" | "node">, node: string, bindings: Texts): boolean =>
  instance.node === node && JSON.stringify(instance.bindings) === JSON.stringify(bindings)

const differenceOf = (held: ReadonlyArray<RowKey>, view: View): string | null => {
  const missing = [...view.keys()].filter((key) => !held.includes(key))
  const extra = held.filter((key) => !view.has(key))
  if (missing.length === 0 && extra.length === 0) return null
  const list = (keys: ReadonlyArray<RowKey>): string =>
    keys.map((key) => decodeKey(key).join("/")).join(", ") || "none"
  return `missing ${list(missing)}; too many ${list(extra)}`
}

/** A number that orders offsets of one log; the end of the snapshot stands before its first transaction. */
const position = (offset: string): number => {
  const [tx = "0", op = "0"] = offset.split("_")
  return Number(tx) * 1e6 + (op === "inf" ? 1e5 : Number(op))
}

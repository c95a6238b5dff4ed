/**
 * What stands before the model server: it knows what the graph demands of the rows under the parameters of its clients, grants exactly
 * that, learns of new grants late, and may be of a newer release than they are. Exists apart from the server because it looks at
 * graph and rows only, never at logs.
 */
import type { GraphData } from "../../graph/Graph.ts"
import type { Instance, InstanceKey } from "../../protocol/Shape.ts"
import { Forbidden, SchemaMismatch, type ShapeErrorReason } from "../../protocol/ShapeError.ts"
import type { Seeded } from "../random.ts"
import type { Texts } from "./filters.ts"
import type { ModelDatabase } from "./ModelDatabase.ts"
import { Oracle } from "./Oracle.ts"
import type { Selection } from "./selection.ts"

export interface GatewayOptions {
  readonly graph: GraphData
  readonly params: Texts
  readonly database: ModelDatabase
  /** It grants what the rows demanded up to so many milliseconds ago; null: everything is granted. */
  readonly lagMillis: number | null
  readonly random: Seeded
}

export interface Refusal {
  readonly kind: "newer" | "revoked"
  readonly reason: ShapeErrorReason
}

interface Grant {
  readonly since: number
  readonly keys: ReadonlySet<InstanceKey>
}

export class Gateway {
  readonly #options: GatewayOptions
  /** Server tables it knows a newer release of, and until when (epoch milliseconds) its clients do not. */
  readonly #newerUntil = new Map<string, number>()
  /** What it granted since when, newest last. */
  readonly #grants: Array<Grant> = []
  /** By the parameters they stand for: those of now, and those that clients may still ask with. */
  readonly #oracles = new Map<string, Oracle>()
  #oracle: Oracle

  constructor(options: GatewayOptions) {
    this.#options = options
    this.#oracle = this.#oracleOf(options.params)
  }

  /** What the present parameters make the graph demand. */
  get oracle(): Oracle {
    return this.#oracle
  }

  /** Whether its clients ever had other parameters. */
  get hadOtherParams(): boolean {
    return this.#oracles.size > 1
  }

  /** Other client parameters from now on. Whoever still asks with the ones before is answered. */
  setParams(params: Texts, now: number): void {
    this.#oracle = this.#oracleOf({ ...this.#oracle.params, ...params })
    // What a client chooses is no grant: no gateway learns of it late.
    this.#grants.length = 0
    this.noteRows(now)
  }

  /** A release has changed a table. */
  release(table: string, until: number): void {
    this.#newerUntil.set(table, until)
  }

  /** Its clients are of its release. */
  forgetReleases(): void {
    this.#newerUntil.clear()
  }

  /** The rows have changed, and with them what is granted. */
  noteRows(now: number): void {
    if (this.#options.lagMillis !== null) this.#grants.push({ since: now, keys: this.reachable() })
  }

  /** Everything that some parameters so far could make the graph demand of the rows as they are. */
  reachable(): ReadonlySet<InstanceKey> {
    const { read } = this.#options.database
    return new Set([...this.#oracles.values()].flatMap((oracle) => [...oracle.demanded(read, null).keys()]))
  }

  /** What an instance selects, by the parameters it is asked for with. */
  selection({ bindings, clientParams, node }: Instance): Selection | null {
    return this.#oracleOf({ ...this.#oracle.params, ...clientParams }).selection(node, bindings)
  }

  /** Why it does not let a request through; null when it does. */
  refusal({ key, table }: Instance, now: number): Refusal | null {
    const from = this.#options.graph.tables[table]?.from ?? ""
    if ((this.#newerUntil.get(from) ?? 0) > now)
      return { kind: "newer", reason: new SchemaMismatch({ message: "the gateway is of another release" }) }
    if (this.#isGranted(key, now)) return null
    return { kind: "revoked", reason: new Forbidden({ revoked: true, message: "revoked" }) }
  }

  #isGranted(key: InstanceKey, now: number): boolean {
    const { lagMillis, random } = this.#options
    if (lagMillis === null) return true
    const seen = now - random.between(0, lagMillis)
    const grant = this.#grants.findLast(({ since }) => since <= seen) ?? this.#grants[0]
    return grant === undefined || grant.keys.has(key)
  }

  #oracleOf(params: Texts): Oracle {
    const name = JSON.stringify(Object.entries(params).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    const known = this.#oracles.get(name) ?? new Oracle(this.#options.graph, params)
    this.#oracles.set(name, known)
    return known
  }
}

/**
 * Declares nodes: a table, a filter, and where its bindings come from (graph parameters or a parent's rows), plus
 * policy. Exists so that "which rows may this user hold" is written once, as data. It must not know how
 * a node is fetched, stored or scheduled. Called by `Graph.make`.
 */
import type { ColumnType } from "./Table.ts"
import type { Filter } from "./Filter.ts"

/** Where the value of a parameter comes from: the verified identity (never the client), or the client. */
export type ParamSource = "identity" | "client"

export interface ParamDef {
  readonly type: ColumnType
  readonly source: ParamSource
}

/** A parameter taken from the verified identity, e.g. the signed-in user's id. */
export const identity = <const Type extends ColumnType>(type: Type) => ({ type, source: "identity" }) as const

/** A parameter the client chooses, e.g. the company picked in the route. */
export const client = <const Type extends ColumnType>(type: Type) => ({ type, source: "client" }) as const

/** `always`: runs while its parent holds a row for it. `onDemand`: runs only while leased. */
export type SyncPolicy = "always" | "onDemand"

/** What an app writes for a node. */
export interface NodeInput {
  /** Local table. */
  readonly table: string
  /** Conditions on the node's own table, ANDed with the edge. */
  readonly where?: Filter
  /** Parent node; with `on`, the edge `child column ← parent column`. */
  readonly parent?: string
  readonly on?: Readonly<Record<string, string>>
  /** Whose rows own one shape each: an ancestor node, or `"root"` for one shape per session. Default: the parent. */
  readonly per?: string
  /** Human key of an instance, e.g. `company-{id}-members`. */
  readonly key: string
  /** Default `always`. */
  readonly sync?: SyncPolicy
  /** Larger goes first. Default 0. */
  readonly priority?: number
  /** How long an instance nobody asks for is kept before its rows are collected. Default 30,000. */
  readonly keepForMillis?: number
}

/** A node after normalisation. */
export interface NodeDef {
  readonly id: string
  readonly table: string
  readonly where: Filter | null
  readonly parent: string | null
  readonly on: Readonly<Record<string, string>>
  /** The owner: an ancestor node id, or `null` for one instance per session (roots and `per: "root"`). */
  readonly owner: string | null
  readonly key: string
  readonly sync: SyncPolicy
  readonly priority: number
  readonly keepForMillis: number
}

/** Default of {@link NodeInput.keepForMillis}. */
export const defaultKeepForMillis = 30_000

/** Turns what the app wrote into a {@link NodeDef}. Does not validate; `validateGraph` does. */
export const normaliseNode = (id: string, input: NodeInput): NodeDef => ({
  id,
  table: input.table,
  where: input.where ?? null,
  parent: input.parent ?? null,
  on: { ...input.on },
  owner: input.per === "root" ? null : (input.per ?? input.parent ?? null),
  key: input.key,
  sync: input.sync ?? "always",
  priority: input.priority ?? 0,
  keepForMillis: input.keepForMillis ?? defaultKeepForMillis,
})

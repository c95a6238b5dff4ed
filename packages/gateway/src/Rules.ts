/**
 * Who may read which node. Rules exist so that the answer stands in one place, one entry per node, checked by the type checker and again
 * when the gateway starts: a node without a rule is refused, never open. A rule says yes or no; which rows and columns
 * an instance holds is the graph's business.
 */
import type { Graph, GraphTypes, NodeIdOf } from "@espalier/engine/graph"

/** A verified caller. Apps may add what their rules need (roles, tenant). */
export interface GatewayIdentity {
  /** Values of the graph's `identity` params as Postgres text, by name. */
  readonly params: Readonly<Record<string, string>>
  /** Who it is, for limits and `revoke`: a user id, a session id. Default: the params. */
  readonly subject?: string
  /** When the credentials end, in milliseconds since 1970. Open requests end with 401 at that moment. Default: never. */
  readonly expiresAt?: number
}

/** What a rule decides from. */
export interface RuleContext<Identity extends GatewayIdentity, Binding extends string> {
  readonly identity: Identity
  /** Binding values in canonical spelling (a uuid in lower case), by name. */
  readonly bindings: Readonly<Record<Binding, string>>
  /** Not part of what a remembered yes is remembered for: a rule that looks at it needs `ruleCacheMillis: 0`. */
  readonly request: Request
}

/**
 * Thrown by a rule (or by `identify`) whose database cannot be reached: the caller is asked to come again (503 with `Retry-After`) instead of being
 * told that the server is broken. Still no rows.
 */
export class RuleUnavailable extends Error {
  readonly _tag = "RuleUnavailable"
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = "RuleUnavailable"
  }
}

/**
 * `"public"`: every identity that `identify` accepts may read the node (its filter still confines it). A function: only
 * exactly `true` allows. A throw or rejection denies with status 500 ({@link RuleUnavailable}: 503) and without a word of the cause.
 */
export type Rule<Identity extends GatewayIdentity = GatewayIdentity, Binding extends string = string> =
  | "public"
  | ((context: RuleContext<Identity, Binding>) => boolean | Promise<boolean>)

type OwnerOf<Node> = Node extends { readonly per: infer Owner }
  ? Owner
  : Node extends { readonly parent: infer Parent }
    ? Parent
    : never

/** The `on` columns of the path-top: the node on the way up whose parent is the owner. */
type PathTopColumns<Nodes, Id, Owner> = Id extends keyof Nodes
  ? Nodes[Id] extends { readonly parent: infer Parent; readonly on: infer On }
    ? Parent extends Owner
      ? keyof On & string
      : PathTopColumns<Nodes, Parent, Owner>
    : never
  : never

type NodesOf<Types extends GraphTypes> = Types["nodes"]

/** The names of a node's bindings. */
export type BindingNameOf<G extends Graph.Graph, Id extends NodeIdOf<G>> =
  NonNullable<G["_types"]> extends infer Types extends GraphTypes
    ? Id extends keyof NodesOf<Types>
      ? PathTopColumns<NodesOf<Types>, Id, OwnerOf<NodesOf<Types>[Id]>>
      : string
    : string

/** One rule per node. */
export type Rules<G extends Graph.Graph, Identity extends GatewayIdentity = GatewayIdentity> = {
  readonly [Id in NodeIdOf<G>]: Rule<Identity, BindingNameOf<G, Id>>
}

/** What is wrong with rules: nodes without one, rules without a node, rules that are neither function nor `"public"`. */
export const ruleFaults = (
  nodes: ReadonlyArray<string>,
  rules: Readonly<Record<string, unknown>>,
): ReadonlyArray<string> => [
  ...nodes
    .filter((id) => !Object.hasOwn(rules, id))
    .map(
      (id) =>
        `rules.${id}: node "${id}" has no rule; write a function, or "public" for every signed-in caller`,
    ),
  ...Object.keys(rules)
    .filter((id) => !nodes.includes(id))
    .map((id) => `rules.${id}: the graph has no such node; use: ${nodes.join(", ")}`),
  ...Object.entries(rules)
    .filter(([id, rule]) => nodes.includes(id) && rule !== "public" && typeof rule !== "function")
    .map(([id]) => `rules.${id}: a rule is a function or "public"`),
]

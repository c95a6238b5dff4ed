/**
 * The types that make composables know their graph: which node ids, binding names and columns exist, and what
 * a row holds. Types only. Everything is derived from the graph's declaration; nothing is written twice.
 */
import type { Graph, NodeIdOf, NodeRow, TableNameOf, TableOf } from "@espalier/engine/graph"
import type { MaybeRefOrGetter } from "vue"
import type { Register } from "./index.ts"

/** Any graph, typed or not. */
export type AnyGraph = Graph.Graph

/** The registered graph, or an untyped one: any node name, rows of `unknown`. */
export type RegisteredGraph = Register extends { readonly graph: infer G extends AnyGraph } ? G : AnyGraph

type Types<G extends AnyGraph> = NonNullable<G["_types"]>
type Nodes<G extends AnyGraph> = Types<G>["nodes"]
type Tables<G extends AnyGraph> = Types<G>["tables"]

type ParentOf<G extends AnyGraph, Id> = Id extends keyof Nodes<G>
  ? Nodes<G>[Id] extends { readonly parent: infer Parent extends string }
    ? Parent
    : null
  : null

/** Whose rows own one instance each; null for one instance per session. */
type OwnerOf<G extends AnyGraph, Id> = Id extends keyof Nodes<G>
  ? Nodes<G>[Id] extends { readonly per: infer Per extends string }
    ? Per extends "root"
      ? null
      : Per
    : ParentOf<G, Id>
  : null

/** The node on the path from `Id` upwards whose parent is `Owner`: its edge carries the bindings. */
type BelowOwner<G extends AnyGraph, Id, Owner> =
  ParentOf<G, Id> extends null
    ? never
    : ParentOf<G, Id> extends Owner
      ? Id
      : BelowOwner<G, ParentOf<G, Id>, Owner>

type EdgeColumns<G extends AnyGraph, Id> = Id extends keyof Nodes<G>
  ? Nodes<G>[Id] extends { readonly on: infer On }
    ? keyof On & string
    : never
  : never

type BindingNode<G extends AnyGraph, Id> =
  OwnerOf<G, Id> extends null ? never : BelowOwner<G, Id, OwnerOf<G, Id>>

type BindingText<Value> = Value extends string | number | bigint | boolean | Date ? Value : string

type BindingValue<G extends AnyGraph, Id, Name> =
  Id extends NodeIdOf<G>
    ? Name extends keyof NodeRow<G, Id>
      ? BindingText<NonNullable<NodeRow<G, Id>[Name]>>
      : string
    : string

/** Names of a node's bindings: the bound columns below its owner. */
export type BindingNameOf<G extends AnyGraph, Id extends NodeIdOf<G>> =
  string extends NodeIdOf<G> ? string : EdgeColumns<G, BindingNode<G, Id>>

/**
 * Bindings of a node, all optional: those left out demand every instance that matches the rest. A value may
 * be a ref or a getter; while it is `undefined` nothing is demanded or read.
 */
export type BindingsOf<G extends AnyGraph, Id extends NodeIdOf<G>> =
  string extends NodeIdOf<G>
    ? Readonly<Record<string, MaybeRefOrGetter<string | number | bigint | boolean | Date | undefined>>>
    : [BindingNameOf<G, Id>] extends [never]
      ? Readonly<Record<string, never>>
      : {
          readonly [Name in BindingNameOf<G, Id>]?: MaybeRefOrGetter<
            BindingValue<G, BindingNode<G, Id>, Name> | undefined
          >
        }

/** A row of a node. */
export type RowOf<G extends AnyGraph, Id extends NodeIdOf<G>> = NodeRow<G, Id>

/** Columns of a node's table. */
export type ColumnOf<G extends AnyGraph, Id extends NodeIdOf<G>> =
  TableOf<G, Id> extends keyof Tables<G> ? keyof Tables<G>[TableOf<G, Id>]["columns"] & string : never

/** Names of a graph's local tables. */
export type TableOfGraph<G extends AnyGraph> = TableNameOf<G>

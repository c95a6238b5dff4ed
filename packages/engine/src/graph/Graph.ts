/**
 * The graph: the one declaration that drives engine, gateway, local schema, types and panel. A `Graph` is plain,
 * JSON-serialisable data; its type parameters carry names and row types only. `make` reports every problem at once;
 * wrong table, column, node and param names are compile errors as well.
 */
import type { Filter } from "./Filter.ts"
import type { NodeDef, NodeInput, ParamDef } from "./Node.ts"
import { fromSpec } from "./spec.ts"
import type { RowOf, TableDef, TableInput } from "./Table.ts"
import { GraphInvalid, validateGraph } from "./validate.ts"

export type TablesInput = Readonly<Record<string, TableInput>>
export type ParamsInput = Readonly<Record<string, ParamDef>>
export type NodesInput = Readonly<Record<string, NodeInput>>

/** The part of a graph every runtime component reads: names, tables and nodes as data. */
export interface GraphData {
  readonly name: string
  readonly params: Readonly<Record<string, ParamDef>>
  readonly tables: Readonly<Record<string, TableDef>>
  readonly nodes: Readonly<Record<string, NodeDef>>
}

/** Phantom carrier of the declared types; never present at run time. */
export interface GraphTypes {
  readonly params: ParamsInput
  readonly tables: TablesInput
  readonly nodes: NodesInput
}

/** A valid graph together with what its declaration said at type level. */
export interface Graph<Types extends GraphTypes = GraphTypes> extends GraphData {
  readonly _types?: Types
}

type ColumnsOf<Tables extends TablesInput, Name> = Name extends keyof Tables
  ? keyof Tables[Name]["columns"] & string
  : never

type TableOfNode<Nodes, Id> = Id extends keyof Nodes
  ? Nodes[Id] extends { readonly table: infer Table }
    ? Table
    : never
  : never

/** The columns of the table of a node's parent; none without a parent. */
type ParentColumnsOf<Tables extends TablesInput, Nodes, Id extends keyof Nodes> = Nodes[Id] extends {
  readonly parent: infer Parent
}
  ? ColumnsOf<Tables, TableOfNode<Nodes, Parent>>
  : never

/** The declared edge again, with `never` for what is no column: an inferred type parameter hides excess properties. */
type CheckedEdge<Node, ChildColumns, ParentColumns> = Node extends { readonly on: infer On }
  ? { readonly [Column in keyof On]: Column extends ChildColumns ? ParentColumns : never }
  : unknown

/** `never` for every property that is not one of `Known`. */
type NoOthers<Declared, Known> = { readonly [Property in Exclude<keyof Declared, keyof Known>]: never }

/** What a node's declaration must satisfy given the rest of the graph. A violation is a compile error at that property. */
type CheckedNode<
  Params extends ParamsInput,
  Tables extends TablesInput,
  Nodes,
  Id extends keyof Nodes,
> = Omit<NodeInput, "table" | "where" | "parent" | "on" | "per"> & {
  readonly table: keyof Tables & string
  readonly where?: Filter<ColumnsOf<Tables, TableOfNode<Nodes, Id>>, keyof Params & string>
  readonly parent?: Exclude<keyof Nodes, Id> & string
  readonly on?: {
    readonly [Column in ColumnsOf<Tables, TableOfNode<Nodes, Id>>]?: ParentColumnsOf<Tables, Nodes, Id>
  } & CheckedEdge<Nodes[Id], ColumnsOf<Tables, TableOfNode<Nodes, Id>>, ParentColumnsOf<Tables, Nodes, Id>>
  readonly per?: (Exclude<keyof Nodes, Id> & string) | "root"
} & NoOthers<Nodes[Id], NodeInput>

type CheckedTable<Table extends TableInput> = {
  readonly from?: string
  readonly columns: Table["columns"]
  readonly primaryKey?: ReadonlyArray<keyof Table["columns"] & string>
  readonly indexes?: ReadonlyArray<ReadonlyArray<keyof Table["columns"] & string>>
} & NoOthers<Table, TableInput>

/** What `Graph.make` takes. */
export interface GraphSpec<Params extends ParamsInput, Tables extends TablesInput, Nodes extends NodesInput> {
  readonly name: string
  readonly params?: Params
  readonly tables: Tables & { readonly [Name in keyof Tables]: CheckedTable<Tables[Name]> }
  readonly nodes: Nodes & { readonly [Id in keyof Nodes]: CheckedNode<Params, Tables, Nodes, Id> }
}

/** Normalises a declaration without validating it. */
export { fromSpec } from "./spec.ts"

/** Decodes and validates a graph from plain JSON data. @throws GraphInvalid with all problems. */
export { graphFromJson as fromJson } from "./fromJson.ts"

/**
 * Makes a graph from its declaration.
 *
 * @throws GraphInvalid with **all** problems, each with its path and how to fix it.
 */
export const make = <
  const Tables extends TablesInput,
  const Nodes extends NodesInput,
  const Params extends ParamsInput = {},
>(
  spec: GraphSpec<Params, Tables, Nodes>,
): Graph<{ readonly params: Params; readonly tables: Tables; readonly nodes: Nodes }> => {
  const data = fromSpec(spec)
  const problems = validateGraph(data)
  if (problems.length > 0) throw new GraphInvalid(data.name, problems)
  return data
}

/** Names of a graph's nodes. */
export type NodeIdOf<G extends Graph> = keyof NonNullable<G["_types"]>["nodes"] & string

/** Names of a graph's local tables. */
export type TableNameOf<G extends Graph> = keyof NonNullable<G["_types"]>["tables"] & string

/** The local table of a node. */
export type TableOf<G extends Graph, Id extends NodeIdOf<G>> = NonNullable<G["_types"]>["nodes"][Id]["table"]

/** The row type of a local table. */
export type TableRow<G extends Graph, Name extends TableNameOf<G>> = RowOf<
  NonNullable<G["_types"]>["tables"][Name]
>

/** The row type of a node. */
export type NodeRow<G extends Graph, Id extends NodeIdOf<G>> =
  TableOf<G, Id> extends TableNameOf<G> ? TableRow<G, TableOf<G, Id>> : never

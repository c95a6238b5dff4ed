/**
 * The one compiler: graph + bindings → shape definition, key, definition hash, local SQL and local DDL. Synchronous and
 * free of Effect, so that engine, gateway, page half and tests share it in any runtime. Pure.
 */
import type { GraphData } from "../graph/Graph.ts"
import type { Instance } from "./Shape.ts"

/** Thrown for a node that does not exist, a missing or unknown binding or parameter, or a value of the wrong type. */
export class CompileError extends Error {
  readonly _tag = "CompileError"
  readonly path: string
  constructor(path: string, message: string) {
    super(`${path}: ${message}`)
    this.name = "CompileError"
    this.path = path
  }
}

/** How an owner's rows bind a node: `binding` is the bound child column, `column` the owner's column it takes its value from. */
export interface OwnerBinding {
  readonly binding: string
  readonly column: string
}

/** The owner of a node's instances and the bindings it supplies; `owner` null for one instance per session. */
export interface Ownership {
  readonly owner: string | null
  readonly bindings: ReadonlyArray<OwnerBinding>
}

/** Who owns the instances of a node, and which of its columns bind them. */
export declare const ownership: (graph: GraphData, node: string) => Ownership

/** Nodes whose owner is `node`, in declaration order. */
export declare const ownedBy: (graph: GraphData, node: string) => ReadonlyArray<string>

/** Compiles one instance. `params` are all graph parameters as text. @throws CompileError */
export declare const compileInstance: (
  graph: GraphData,
  node: string,
  bindings: Readonly<Record<string, string>>,
  params: Readonly<Record<string, string>>,
) => Instance

/** The rows of a node as local SQL (`select columns from table where …`), with partial bindings allowed. @throws CompileError */
export declare const localQuery: (
  graph: GraphData,
  node: string,
  bindings: Readonly<Record<string, string>>,
  params: Readonly<Record<string, string>>,
) => { readonly from: string; readonly where: string; readonly params: ReadonlyArray<string> }

/** Version hash of the local tables; changes when a table, column or key does. */
export declare const schemaVersion: (graph: GraphData) => string

/** `create table if not exists …` for one local table: columns, primary key and plain indexes only (design §5.9). */
export declare const localTableDdl: (graph: GraphData, table: string) => ReadonlyArray<string>

/** A SQL identifier, always quoted. */
export const quoteIdent = (name: string): string => `"${name.replaceAll('"', '""')}"`

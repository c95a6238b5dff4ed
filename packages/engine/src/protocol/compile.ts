/**
 * The one compiler: graph + bindings → shape definition, key, definition hash, local SQL and local DDL. Synchronous and
 * free of Effect, so that engine, gateway, page half and tests share it in any runtime. Pure.
 */
import type { GraphData } from "../graph/Graph.ts"
import { quoteIdent, quoteIdentIfNeeded, serverTable } from "../graph/identifiers.ts"
import { encodeKeyValue, keySources, parseKey } from "../graph/KeyTemplate.ts"
import type { NodeDef } from "../graph/Node.ts"
import {
  bindingColumn,
  nodeOf,
  ownedNodes,
  ownershipOf,
  tableOf,
  type Ownership,
} from "../graph/SyncGraph.ts"
import type { ColumnType, TableDef } from "../graph/Table.ts"
import { canonicalText, exampleOf } from "../graph/values.ts"
import { CompileError } from "./CompileError.ts"
import { hashOf } from "./hash.ts"
import type { Instance, ShapeDefinition } from "./Shape.ts"
import { type Dialect, renderNode } from "./where.ts"

export { CompileError } from "./CompileError.ts"
export { quoteIdent, quoteIdentIfNeeded } from "../graph/identifiers.ts"
export { localTableDdl, schemaVersion, tableVersion } from "./localSchema.ts"
export type { OwnerBinding, Ownership } from "../graph/SyncGraph.ts"

type Texts = Readonly<Record<string, string>>

const lookupNode = (graph: GraphData, id: string): NodeDef => {
  const node = nodeOf(graph, id)
  if (node !== undefined) return node
  throw new CompileError(`nodes.${id}`, `no such node; use one of: ${Object.keys(graph.nodes).join(", ")}`)
}

const lookupTable = (graph: GraphData, node: NodeDef): TableDef => {
  const table = tableOf(graph, node.table)
  if (table !== undefined) return table
  throw new CompileError(`nodes.${node.id}.table`, `unknown table "${node.table}"; declare it in tables`)
}

/** Who owns the instances of a node, and which of its columns bind them. @throws CompileError */
export const ownership = (graph: GraphData, node: string): Ownership => {
  const found = ownershipOf(graph, lookupNode(graph, node).id)
  if (found.owner === null && graph.nodes[node]?.owner !== null) {
    throw new CompileError(
      `nodes.${node}.per`,
      `"${graph.nodes[node]?.owner}" is no ancestor; name one, or "root"`,
    )
  }
  return found
}

/** Nodes whose owner is `node`, in declaration order. @throws CompileError */
export const ownedBy = (graph: GraphData, node: string): ReadonlyArray<string> =>
  ownedNodes(graph, lookupNode(graph, node).id)

const canonicalValue = (type: ColumnType, value: unknown, path: string): string => {
  const text = typeof value === "string" ? canonicalText(type, value) : null
  if (text !== null) return text
  throw new CompileError(
    path,
    `the value does not fit type ${type}; pass Postgres text such as ${exampleOf(type)}`,
  )
}

/** Checks names and values of the given bindings and returns them in canonical spelling, in declaration order. */
const canonicalBindings = (graph: GraphData, node: string, bindings: Texts, partial: boolean): Texts => {
  const expected = ownership(graph, node).bindings.map(({ binding }) => binding)
  for (const name of Object.keys(bindings)) {
    if (expected.includes(name)) continue
    const known = expected.length === 0 ? "this node takes none" : `use: ${expected.join(", ")}`
    throw new CompileError(`nodes.${node}.bindings.${name}`, `unknown binding; ${known}`)
  }
  const entries: Array<[string, string]> = []
  for (const name of expected) {
    const path = `nodes.${node}.bindings.${name}`
    if (!Object.hasOwn(bindings, name)) {
      if (partial) continue
      throw new CompileError(path, "missing binding; pass a value")
    }
    const type = bindingColumn(graph, node, name)?.type
    if (type === undefined) throw new CompileError(path, "unknown column; declare it in the table")
    entries.push([name, canonicalValue(type, bindings[name], path)])
  }
  return Object.fromEntries(entries)
}

const canonicalParams = (graph: GraphData, params: Texts): Texts =>
  Object.fromEntries(
    Object.entries(params).map(([name, value]) => {
      const param = Object.hasOwn(graph.params, name) ? graph.params[name] : undefined
      if (param === undefined) {
        const known = Object.keys(graph.params)
        const fix = known.length === 0 ? "this graph has none" : `use: ${known.join(", ")}`
        throw new CompileError(`params.${name}`, `unknown parameter; ${fix}`)
      }
      return [name, canonicalValue(param.type, value, `params.${name}`)]
    }),
  )

/** How a shape definition spells SQL: bare names where possible, server tables, bare `$n` typed by their context. */
const serverDialect: Dialect = {
  column: quoteIdentIfNeeded,
  table: (table) => serverTable(table.from),
  placeholder: (index) => `$${index}`,
}

/**
 * How local SQL is spelled. A parameter arrives as text and is cast in SQL, because PGlite otherwise serialises it by the
 * inferred type and refuses the text of, say, a boolean.
 */
const localDialect: Dialect = {
  column: quoteIdent,
  table: (table) => quoteIdent(table.name),
  placeholder: (index, type) =>
    type === null ? `$${index}` : type === "text" ? `$${index}::text` : `$${index}::text::${type}`,
}

/** The key, and in `used` the parameters it names. */
const compileKey = (
  graph: GraphData,
  node: NodeDef,
  bindings: Texts,
  params: Texts,
  used: Set<string>,
): string => {
  const path = `nodes.${node.id}.key`
  const parts = parseKey(node.key)
  if (parts === null)
    throw new CompileError(path, `unmatched brace in "${node.key}"; write placeholders as {name}`)
  return parts
    .map((part) => {
      if (part._tag === "Text") return part.text
      const [source, ...others] = keySources(graph, node.id, part.name)
      if (source === undefined || others.length > 0) {
        const what = source === undefined ? "is unbound" : "is ambiguous"
        throw new CompileError(path, `{${part.name}} ${what}; name one param or one bound column`)
      }
      const value = (source._tag === "Param" ? params : bindings)[source.name]
      if (value === undefined) {
        throw new CompileError(`params.${source.name}`, `no value, but ${path} needs it; pass a value`)
      }
      if (source._tag === "Param") used.add(source.name)
      return encodeKeyValue(source.type, value)
    })
    .join("")
}

/** Of the parameters an instance uses, those the client chooses: a gateway must be told them (design §9). */
const clientParams = (graph: GraphData, used: ReadonlySet<string>, params: Texts): Texts =>
  Object.fromEntries(
    Object.entries(params).filter(([name]) => used.has(name) && graph.params[name]?.source === "client"),
  )

/** Compiles one instance. `params` are all graph parameters as text. @throws CompileError */
export const compileInstance = (
  graph: GraphData,
  node: string,
  bindings: Readonly<Record<string, string>>,
  params: Readonly<Record<string, string>>,
): Instance => {
  const declared = lookupNode(graph, node)
  const table = lookupTable(graph, declared)
  const bound = canonicalBindings(graph, node, bindings, false)
  const given = canonicalParams(graph, params)
  const values: Array<string> = []
  const used = new Set<string>()
  const rendering = { graph, dialect: serverDialect, params: given, bindings: bound, values, used }
  const { tagged, where } = renderNode(rendering, node)
  const definition: ShapeDefinition = {
    table: serverTable(table.from),
    ...(where === "" ? {} : { where }),
    params: Object.fromEntries(values.map((value, index) => [String(index + 1), value])),
    columns: Object.keys(table.columns),
    replica: "default",
    log: "full",
  }
  const key = compileKey(graph, declared, bound, given, used)
  return {
    key,
    node,
    table: table.name,
    bindings: bound,
    clientParams: clientParams(graph, used, given),
    definition,
    hash: hashOf({ definition: { ...definition }, table: table.name, primaryKey: [...table.primaryKey] }),
    tagged,
    priority: declared.priority,
  }
}

/** The rows of a node as local SQL. */
export interface LocalQuery {
  /** The local table, quoted. */
  readonly from: string
  /** The condition over local tables with `$1…$n`, `true` when nothing constrains. */
  readonly where: string
  /** Values of `$n` as Postgres text; pass them as they are. */
  readonly params: ReadonlyArray<string>
}

/**
 * The rows of a node as local SQL (`select columns from table where …`). Bindings may be partial: an absent one does not
 * constrain, and with none at all the path up to the owner drops as well. @throws CompileError
 */
export const localQuery = (
  graph: GraphData,
  node: string,
  bindings: Readonly<Record<string, string>>,
  params: Readonly<Record<string, string>>,
): LocalQuery => {
  const table = lookupTable(graph, lookupNode(graph, node))
  const values: Array<string> = []
  const { where } = renderNode(
    {
      graph,
      dialect: localDialect,
      params: canonicalParams(graph, params),
      bindings: canonicalBindings(graph, node, bindings, true),
      values,
      used: new Set(),
    },
    node,
  )
  return { from: quoteIdent(table.name), where: where === "" ? "true" : where, params: values }
}

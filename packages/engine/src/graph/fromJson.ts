/**
 * Decodes a graph that arrives as JSON (the worker's `init`, the CLI), strictly: a misspelt property is a problem, not ignored.
 * Reads both what `JSON.stringify(graph)` gives and the shorthand a person writes. Reports malformed input as problems with
 * paths, like validation does. Pure; no schema library, because this floor imports nothing.
 */
import type { CompareOp, Filter, Operand } from "./Filter.ts"
import type { GraphData } from "./Graph.ts"
import type { NodeInput, ParamDef } from "./Node.ts"
import { type GraphProblem, oneOf, problem } from "./problem.ts"
import { fromSpec } from "./spec.ts"
import { type ColumnInput, type ColumnType, defaultPrimaryKey, type TableInput } from "./Table.ts"
import { GraphInvalid, validateGraph } from "./validate.ts"

type Fields = Readonly<Record<string, unknown>>

/** Deeper filters are refused: nobody writes them, and recursion must end. */
const maxFilterDepth = 64

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const kindOf = (value: unknown): string =>
  value === null
    ? "null"
    : value === undefined
      ? "nothing"
      : Array.isArray(value)
        ? "a list"
        : `a ${typeof value}`

/** Reads values and collects what does not fit; after a problem it goes on with a harmless value. */
interface Reader {
  readonly problems: Array<GraphProblem>
}

const report = (reader: Reader, path: string, expected: string, value: unknown): void => {
  reader.problems.push(problem(path, `expected ${expected}, found ${kindOf(value)}`, `write ${expected}`))
}

const fields = (reader: Reader, path: string, value: unknown, known?: ReadonlyArray<string>): Fields => {
  if (!isFields(value)) {
    report(reader, path, "an object", value)
    return {}
  }
  for (const name of known === undefined ? [] : Object.keys(value)) {
    if (known?.includes(name) === false) {
      reader.problems.push(
        problem(`${path}.${name}`, `unknown property "${name}"`, oneOf(known, "remove it")),
      )
    }
  }
  return value
}

const entries = <Value>(
  reader: Reader,
  path: string,
  value: unknown,
  read: (path: string, value: unknown, name: string) => Value,
): Readonly<Record<string, Value>> =>
  Object.fromEntries(
    Object.entries(fields(reader, path, value)).map(([name, inner]) => [
      name,
      read(`${path}.${name}`, inner, name),
    ]),
  )

const text = (reader: Reader, path: string, value: unknown): string => {
  if (typeof value === "string") return value
  report(reader, path, "a text", value)
  return ""
}

const number = (reader: Reader, path: string, value: unknown): number => {
  if (typeof value === "number") return value
  report(reader, path, "a number", value)
  return 0
}

const list = <Value>(
  reader: Reader,
  path: string,
  value: unknown,
  read: (path: string, value: unknown) => Value,
): ReadonlyArray<Value> => {
  if (Array.isArray(value)) return value.map((inner: unknown, index) => read(`${path}.${index}`, inner))
  report(reader, path, "a list", value)
  return []
}

const texts = (reader: Reader, path: string, value: unknown): ReadonlyArray<string> =>
  list(reader, path, value, (innerPath, inner) => text(reader, innerPath, inner))

/** A property that repeats the name it stands under, as normalised graphs carry it. */
const sameName = (reader: Reader, path: string, value: unknown, name: string): void => {
  if (value !== undefined && value !== name) {
    reader.problems.push(
      problem(path, `"${String(value)}" stands under the name "${name}"`, `write "${name}"`),
    )
  }
}

const readColumn = (reader: Reader, path: string, value: unknown): ColumnInput => {
  // Whether the type exists is validation's question.
  if (typeof value === "string") return value as ColumnType
  const { nullable, type } = fields(reader, path, value, ["type", "nullable"])
  if (typeof nullable !== "boolean") report(reader, `${path}.nullable`, "true or false", nullable)
  return { type: text(reader, `${path}.type`, type) as ColumnType, nullable: nullable === true }
}

const readTable = (reader: Reader, path: string, value: unknown, name: string): TableInput => {
  const table = fields(reader, path, value, ["name", "from", "columns", "primaryKey", "indexes"])
  sameName(reader, `${path}.name`, table["name"], name)
  const column = (columnPath: string, inner: unknown): ColumnInput => readColumn(reader, columnPath, inner)
  const index = (indexPath: string, inner: unknown): ReadonlyArray<string> => texts(reader, indexPath, inner)
  return {
    ...(table["from"] === undefined ? {} : { from: text(reader, `${path}.from`, table["from"]) }),
    columns: entries(reader, `${path}.columns`, table["columns"], column),
    primaryKey: texts(reader, `${path}.primaryKey`, table["primaryKey"] ?? defaultPrimaryKey),
    ...(table["indexes"] === undefined
      ? {}
      : { indexes: list(reader, `${path}.indexes`, table["indexes"], index) }),
  }
}

const readOperand = (reader: Reader, path: string, value: unknown): Operand => {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value
  if (isFields(value) && value["_tag"] === "Param") {
    fields(reader, path, value, ["_tag", "name"])
    return { _tag: "Param", name: text(reader, `${path}.name`, value["name"]) }
  }
  report(reader, path, "a text, a number, true, false or a Param", value)
  return ""
}

const readTemplateValue = (
  reader: Reader,
  path: string,
  value: unknown,
): Operand | { readonly _tag: "Column"; readonly name: string } => {
  if (!isFields(value) || value["_tag"] !== "Column") return readOperand(reader, path, value)
  fields(reader, path, value, ["_tag", "name"])
  return { _tag: "Column", name: text(reader, `${path}.name`, value["name"]) }
}

const filterProperties: Readonly<Record<string, ReadonlyArray<string>>> = {
  Compare: ["op", "column", "value"],
  In: ["column", "values"],
  IsNull: ["column"],
  And: ["filters"],
  Or: ["filters"],
  Not: ["filter"],
  Sql: ["strings", "values"],
}

const nothing: Filter = { _tag: "And", filters: [] }

const readFilter = (reader: Reader, path: string, value: unknown, depth: number): Filter => {
  if (depth > maxFilterDepth) {
    reader.problems.push(problem(path, `the filter is nested deeper than ${maxFilterDepth}`, "flatten it"))
    return nothing
  }
  const filter = fields(reader, path, value)
  const tag = filter["_tag"]
  const known =
    typeof tag === "string" && Object.hasOwn(filterProperties, tag) ? filterProperties[tag] : undefined
  if (known === undefined) {
    const fix = oneOf(Object.keys(filterProperties), "")
    reader.problems.push(problem(`${path}._tag`, `unknown kind of filter ${JSON.stringify(tag)}`, fix))
    return nothing
  }
  fields(reader, path, value, ["_tag", ...known])
  const column = (): string => text(reader, `${path}.column`, filter["column"])
  const operand = (innerPath: string, inner: unknown): Operand => readOperand(reader, innerPath, inner)
  const nested = (innerPath: string, inner: unknown): Filter =>
    readFilter(reader, innerPath, inner, depth + 1)
  switch (tag) {
    case "Compare": {
      // Whether the operator exists is validation's question.
      const op = text(reader, `${path}.op`, filter["op"]) as CompareOp
      return { _tag: tag, op, column: column(), value: operand(`${path}.value`, filter["value"]) }
    }
    case "In":
      return {
        _tag: tag,
        column: column(),
        values: list(reader, `${path}.values`, filter["values"], operand),
      }
    case "IsNull":
      return { _tag: tag, column: column() }
    case "And":
    case "Or":
      return { _tag: tag, filters: list(reader, `${path}.filters`, filter["filters"], nested) }
    case "Not":
      return { _tag: tag, filter: nested(`${path}.filter`, filter["filter"]) }
    default: {
      const read = (innerPath: string, inner: unknown) => readTemplateValue(reader, innerPath, inner)
      const values = list(reader, `${path}.values`, filter["values"], read)
      return { _tag: "Sql", strings: texts(reader, `${path}.strings`, filter["strings"]), values }
    }
  }
}

const nodeProperties: ReadonlyArray<string> = [
  ...["id", "table", "where", "parent", "on", "per", "owner", "key", "sync", "priority", "keepForMillis"],
]

/** `per` as the shorthand says it, or `owner` as a normalised node does (`null`: no owner). */
const readPer = (reader: Reader, path: string, node: Fields): { readonly per?: string } => {
  if (node["owner"] === undefined) {
    return node["per"] === undefined ? {} : { per: text(reader, `${path}.per`, node["per"]) }
  }
  if (node["per"] !== undefined) {
    reader.problems.push(problem(`${path}.per`, "the node has both per and owner", "remove one of them"))
  }
  return { per: node["owner"] === null ? "root" : text(reader, `${path}.owner`, node["owner"]) }
}

const readNode = (reader: Reader, path: string, value: unknown, id: string): NodeInput => {
  const node = fields(reader, path, value, nodeProperties)
  sameName(reader, `${path}.id`, node["id"], id)
  const present = <Value>(
    name: string,
    read: (reader: Reader, path: string, value: unknown) => Value,
  ): { readonly [property: string]: Value } =>
    node[name] === undefined || node[name] === null
      ? {}
      : { [name]: read(reader, `${path}.${name}`, node[name]) }
  const column = (columnPath: string, inner: unknown): string => text(reader, columnPath, inner)
  return {
    table: text(reader, `${path}.table`, node["table"]),
    key: text(reader, `${path}.key`, node["key"]),
    ...present("where", (inner, wherePath, where) => readFilter(inner, wherePath, where, 0)),
    ...present("parent", text),
    ...present("on", (inner, onPath, on) => entries(inner, onPath, on, column)),
    ...readPer(reader, path, node),
    ...present("sync", text),
    ...present("priority", number),
    ...present("keepForMillis", number),
  }
}

const readParam = (reader: Reader, path: string, value: unknown): ParamDef => {
  const { source, type } = fields(reader, path, value, ["type", "source"])
  // Type and source are checked by validation, which knows the words.
  return {
    type: text(reader, `${path}.type`, type) as ColumnType,
    source: text(reader, `${path}.source`, source) as ParamDef["source"],
  }
}

/**
 * Decodes and validates a graph from plain JSON data.
 *
 * @throws GraphInvalid with all problems: of the form first, and of the graph once its form is right.
 */
export const graphFromJson = (value: unknown): GraphData => {
  const reader: Reader = { problems: [] }
  const graph = fields(reader, "graph", value, ["name", "params", "tables", "nodes"])
  const spec = {
    name: text(reader, "name", graph["name"]),
    params: entries(reader, "params", graph["params"] ?? {}, (path, param) => readParam(reader, path, param)),
    tables: entries(reader, "tables", graph["tables"], (path, table, name) =>
      readTable(reader, path, table, name),
    ),
    nodes: entries(reader, "nodes", graph["nodes"], (path, node, id) => readNode(reader, path, node, id)),
  }
  if (reader.problems.length > 0) throw new GraphInvalid(spec.name, reader.problems)
  const data = fromSpec(spec)
  const problems = validateGraph(data)
  if (problems.length > 0) throw new GraphInvalid(spec.name, problems)
  return data
}

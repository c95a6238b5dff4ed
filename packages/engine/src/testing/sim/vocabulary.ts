/**
 * Makes rows for any graph: columns that an edge links draw from one small set of values, so that parents and children meet; columns
 * a filter reads draw its literals; everything else is new each time, so that versions of a row can be told apart. Exists so that
 * a user's own graph can be simulated without a word about its data.
 */
import type { Filter, Operand } from "../../graph/Filter.ts"
import type { GraphData } from "../../graph/Graph.ts"
import { tableOf } from "../../graph/SyncGraph.ts"
import type { ColumnDef, ColumnType } from "../../graph/Table.ts"
import { canonicalText, literalText } from "../../graph/values.ts"
import type { TextRow } from "../../protocol/Message.ts"
import type { Texts } from "../model/filters.ts"
import type { Write } from "../model/ModelDatabase.ts"
import type { Seeded } from "../random.ts"

interface Column {
  readonly def: ColumnDef
  /** Values it draws from; empty: a new value each time. */
  values: Array<string>
  /** Another column it shares its values with. */
  linked: string | null
  /** A parameter's value, drawn often. */
  favourite: string | null
}

/** Different values of a linked column. */
const valuesPerLink = 5

export class Vocabulary {
  readonly #columns = new Map<string, Column>()
  readonly #tables = new Map<
    string,
    { readonly columns: ReadonlyArray<string>; readonly primaryKey: ReadonlyArray<string> }
  >()
  /** Columns that a parameter is compared with, by its name. */
  readonly #compared = new Map<string, string>()
  readonly #links: number
  #fresh = 0

  constructor(graph: GraphData, params: Texts, links: number = valuesPerLink) {
    this.#links = links
    for (const table of Object.values(graph.tables)) {
      const known = this.#tables.get(table.from)?.columns ?? []
      const columns = [...new Set([...known, ...Object.keys(table.columns)])]
      this.#tables.set(table.from, { columns, primaryKey: table.primaryKey })
      for (const [name, def] of Object.entries(table.columns)) {
        const id = columnId(table.from, name)
        if (!this.#columns.has(id)) this.#columns.set(id, { def, values: [], linked: null, favourite: null })
      }
    }
    this.#link(graph)
    for (const [from, { primaryKey }] of this.#tables) {
      for (const column of primaryKey) this.#fill(columnId(from, column))
    }
    this.#readFilters(graph, params)
  }

  get tables(): readonly [string, ...ReadonlyArray<string>] {
    const [first = "", ...rest] = this.#tables.keys()
    return [first, ...rest]
  }

  /** Another value for a parameter, one that rows have; null when no filter reads it. */
  paramValue(name: string, random: Seeded): string | null {
    const id = this.#compared.get(name)
    const [first, ...rest] = id === undefined ? [] : this.#root(id).values
    return first === undefined ? null : random.pick([first, ...rest])
  }

  /** A value for a column. */
  value(from: string, name: string, random: Seeded): string | null {
    const column = this.#root(columnId(from, name))
    const own = this.#columns.get(columnId(from, name))
    if (own?.def.nullable === true && random.chance(0.12)) return null
    if (column.favourite !== null && random.chance(0.5)) return column.favourite
    const [first, ...rest] = column.values
    if (first !== undefined) return random.pick([first, ...rest])
    return valueOf(column.def.type, ++this.#fresh, "v")
  }

  /** A whole row, under a random key unless one is given. */
  put(table: string, random: Seeded, key: TextRow = this.key(table, random)): Write {
    const row: Record<string, string | null> = {}
    for (const column of this.#tables.get(table)?.columns ?? [])
      row[column] = key[column] ?? this.value(table, column, random)
    return { table, row }
  }

  /** One or two columns of a row. */
  patch(table: string, random: Seeded): Write {
    const row: Record<string, string | null> = { ...this.key(table, random) }
    const [first = "", ...rest] = (this.#tables.get(table)?.columns ?? []).filter((name) => !(name in row))
    if (first === "") return { table, row }
    for (let count = random.between(1, 2); count > 0; count--) {
      const column = random.pick([first, ...rest])
      row[column] = this.value(table, column, random)
    }
    return { table, row }
  }

  remove(table: string, random: Seeded): Write {
    return { table, row: this.key(table, random), remove: true }
  }

  /** Takes a row away that was written whole. */
  removal({ row, table }: Write): Write {
    const columns = this.#tables.get(table)?.primaryKey ?? []
    const key = Object.fromEntries(columns.map((column) => [column, row[column] ?? null]))
    return { table, row: key, remove: true }
  }

  /** A primary key. */
  key(table: string, random: Seeded): TextRow {
    const key: Record<string, string | null> = {}
    for (const column of this.#tables.get(table)?.primaryKey ?? [])
      key[column] = this.#keyValue(table, column, random)
    return key
  }

  #keyValue(table: string, column: string, random: Seeded): string {
    const { def, values } = this.#root(columnId(table, column))
    const [first = valueOf(def.type, 1, "k"), ...rest] = values
    return random.pick([first, ...rest])
  }

  #link(graph: GraphData): void {
    for (const node of Object.values(graph.nodes)) {
      const parent = node.parent === null ? undefined : graph.nodes[node.parent]
      const child = tableOf(graph, node.table)
      const above = parent === undefined ? undefined : tableOf(graph, parent.table)
      if (child === undefined || above === undefined) continue
      for (const [column, from] of Object.entries(node.on))
        this.#join(columnId(child.from, column), columnId(above.from, from))
    }
  }

  #join(left: string, right: string): void {
    const one = this.#rootId(left)
    const other = this.#rootId(right)
    const column = this.#columns.get(one)
    if (one !== other && column !== undefined) column.linked = other
    this.#fill(other)
  }

  #rootId(id: string): string {
    const linked = this.#columns.get(id)?.linked ?? null
    return linked === null ? id : this.#rootId(linked)
  }

  #root(id: string): Column {
    const column = this.#columns.get(this.#rootId(id))
    if (column === undefined) throw new Error(`the graph has no column ${id}`)
    return column
  }

  #fill(id: string): void {
    const column = this.#root(id)
    if (column.values.length > 0) return
    const name = id.split(".").at(-2)?.slice(0, 3) ?? "k"
    column.values = Array.from({ length: this.#links }, (_, index) =>
      valueOf(column.def.type, index + 1, name),
    )
  }

  #readFilters(graph: GraphData, params: Texts): void {
    for (const node of Object.values(graph.nodes)) {
      const table = tableOf(graph, node.table)
      if (table !== undefined && node.where !== null) this.#readFilter(table.from, node.where, params)
    }
  }

  #readFilter(from: string, filter: Filter, params: Texts): void {
    switch (filter._tag) {
      case "Compare":
        this.#offer(from, filter.column, filter.value, params)
        return
      case "In":
        for (const value of filter.values) this.#offer(from, filter.column, value, params)
        return
      case "And":
      case "Or":
        for (const inner of filter.filters) this.#readFilter(from, inner, params)
        return
      case "Not":
        this.#readFilter(from, filter.filter, params)
        return
      default:
    }
  }

  #offer(from: string, name: string, operand: Operand, params: Texts): void {
    const column = this.#root(columnId(from, name))
    const text = typeof operand === "object" ? params[operand.name] : literalText(operand)
    const value = text === undefined ? null : canonicalText(column.def.type, text)
    if (value === null) return
    if (typeof operand === "object") {
      column.favourite = value
      this.#compared.set(operand.name, columnId(from, name))
    }
    if (column.values.length === 0)
      column.values = [valueOf(column.def.type, 1, "o"), valueOf(column.def.type, 2, "o")]
    if (!column.values.includes(value)) column.values.push(value)
  }
}

const columnId = (from: string, column: string): string => `${from}.${column}`

/** The n-th value of a type. */
const valueOf = (type: ColumnType, index: number, prefix: string): string => {
  if (type.endsWith("[]")) return "{}"
  const day = String(1 + (index % 28)).padStart(2, "0")
  const clock = `${String(index % 24).padStart(2, "0")}:${String(index % 60).padStart(2, "0")}:00`
  switch (type) {
    case "uuid": {
      const letters = [...prefix].map((letter) => (letter.charCodeAt(0) % 16).toString(16)).join("")
      return `${letters.padEnd(8, "0")}-0000-4000-8000-${String(index).padStart(12, "0")}`
    }
    case "int2":
    case "int4":
    case "int8":
      return String(index)
    case "float4":
    case "float8":
    case "numeric":
      return `${index}.5`
    case "bool":
      return index % 2 === 0 ? "true" : "false"
    case "json":
    case "jsonb":
      return `{"n": ${index}}`
    case "bytea":
      return `\\x${index.toString(16).padStart(8, "0")}`
    case "date":
      return `2026-01-${day}`
    case "time":
      return clock
    case "timestamp":
      return `2026-01-${day} ${clock}`
    case "timestamptz":
      return `2026-01-${day} ${clock}+00`
    case "interval":
      return clock
    default:
      return `${prefix}${index}`
  }
}

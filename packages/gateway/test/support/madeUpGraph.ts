/**
 * Valid graphs out of random numbers: tables with awkward names, several roots, chains of edges of three types, owners anywhere above, nested
 * filters over params of both sources. For tests that must hold for every graph and not for the one their author thought of.
 */
import {
  and,
  col,
  eq,
  type Filter,
  Graph,
  type GraphData,
  gte,
  isIn,
  isNull,
  type NodeInput,
  not,
  or,
  param,
  type ParamDef,
  sql,
  type TableInput,
  validateGraph,
} from "@espalier/engine/graph"
import { ownership } from "@espalier/engine/protocol"
import type { Seeded } from "@espalier/engine/testing"

const keyTypes = ["uuid", "int8", "text"] as const
type KeyType = (typeof keyTypes)[number]

const params: Readonly<Record<string, ParamDef>> = {
  userId: { type: "uuid", source: "identity" },
  tenant: { type: "text", source: "identity" },
  season: { type: "text", source: "client" },
  level: { type: "int8", source: "client" },
}

/** Names that are easy to spell wrongly in SQL or in an address. */
const tableNames = ["plain", "Mixed Case", "select", 'quo"te', "ünïcode", "with.dot"] as const
const plainColumns = { level: "int8", label: "text?", "Odd & name": "uuid", open: "bool" } as const

const hex = (random: Seeded, digits: number): string =>
  Array.from({ length: digits }, () => random.below(16).toString(16)).join("")

/** A value of a type, awkward to quote where the type allows it. */
export const madeUpValue = (random: Seeded, type: string): string => {
  switch (type) {
    case "uuid":
      return `${hex(random, 8)}-${hex(random, 4)}-4${hex(random, 3)}-8${hex(random, 3)}-${hex(random, 12)}`
    case "int8":
      return String(random.between(-1_000_000, 1_000_000))
    default:
      return random.pick(["a", "o'clock", "1=1 or true", "a&b=c#d", "ü ☃", "%27;--", "-", "$1", "a+b c"])
  }
}

const comparison = (random: Seeded): Filter =>
  random.pick<() => Filter>([
    () => eq("Odd & name", param("userId")),
    () => eq("label", param(random.pick(["tenant", "season"]))),
    () => gte("level", param("level")),
    () => eq("label", madeUpValue(random, "text")),
    () => isIn("level", [1, random.between(2, 99), param("level")]),
    () => isNull("label"),
    () => eq("open", random.chance(0.5)),
    () => sql`${col("level")} < ${random.below(50)}`,
  ])()

const filter = (random: Seeded, depth: number): Filter => {
  if (depth === 0 || random.chance(0.4)) return comparison(random)
  const parts = Array.from({ length: random.between(1, 3) }, () => filter(random, depth - 1))
  return random.pick<() => Filter>([
    () => and(...parts),
    () => or(...parts),
    () => not(filter(random, depth - 1)),
  ])()
}

const paramsIn = (value: unknown): ReadonlyArray<string> => {
  if (typeof value !== "object" || value === null) return []
  if ("_tag" in value && value._tag === "Param" && "name" in value) return [String(value.name)]
  return Object.values(value).flatMap(paramsIn)
}

interface MadeUpTable {
  readonly name: string
  readonly type: KeyType
  readonly input: TableInput
}

const tablesOf = (random: Seeded): ReadonlyArray<MadeUpTable> =>
  Array.from({ length: random.between(1, 4) }, (_, index) => {
    const name = random.chance(0.4) ? `${random.pick(tableNames)} ${index}` : `t${index}`
    const type = random.pick(keyTypes)
    const references = Object.fromEntries(keyTypes.map((one) => [`to ${one}`, one]))
    const columns = { id: type, ...references, ...plainColumns }
    const from = random.chance(0.3) ? `"server ${index}"` : `"${name.replaceAll('"', '""')}"`
    return { name, type, input: { from, columns } as unknown as TableInput }
  })

/** A node and, when it has a parent, the nodes that may own it. */
const nodesOf = (random: Seeded, tables: ReadonlyArray<MadeUpTable>): Record<string, NodeInput> => {
  const nodes: Record<string, NodeInput> = {}
  const typeOf: Record<string, KeyType> = {}
  const above: Record<string, ReadonlyArray<string>> = {}
  for (let index = 0; index < random.between(2, 7); index++) {
    const id = `n${index}`
    const table = tables[random.below(tables.length)] ?? tables[0]
    if (table === undefined) throw new Error("a graph has tables")
    const earlier = Object.keys(nodes)
    const parent = random.chance(0.75) ? earlier[random.below(earlier.length)] : undefined
    const ancestors = parent === undefined ? [] : [parent, ...(above[parent] ?? [])]
    const owner = random.chance(0.5) ? [...ancestors, "root"][random.below(ancestors.length + 1)] : undefined
    const joined = parent === undefined ? undefined : typeOf[parent]
    nodes[id] = {
      table: table.name,
      key: id,
      ...(random.chance(0.6) ? { where: filter(random, 2) } : {}),
      ...(parent === undefined ? {} : { parent, on: { [`to ${joined}`]: "id" } }),
      ...(parent === undefined || owner === undefined ? {} : { per: owner }),
    }
    typeOf[id] = table.type
    above[id] = ancestors
  }
  return nodes
}

const withKeys = (graph: GraphData, nodes: Record<string, NodeInput>): Record<string, NodeInput> =>
  Object.fromEntries(
    Object.entries(nodes).map(([id, node]) => {
      const bindings = ownership(graph, id).bindings.map(({ binding }) => `!{${binding}}`)
      return [id, { ...node, key: `${id}${bindings.join("")}` }]
    }),
  )

/** The graph of a sequence. @throws Error with the problems when it is invalid: the generator is wrong then */
export const madeUpGraph = (random: Seeded): GraphData => {
  const tables = tablesOf(random)
  const nodes = nodesOf(random, tables)
  const used = new Set(paramsIn(nodes))
  const spec = {
    name: "made up",
    params: Object.fromEntries(Object.entries(params).filter(([name]) => used.has(name))),
    tables: Object.fromEntries(tables.map(({ input, name }) => [name, input])),
  }
  const graph = Graph.fromSpec({
    ...spec,
    nodes: withKeys(Graph.fromSpec({ ...spec, nodes }), nodes),
  })
  const problems = validateGraph(graph)
  if (problems.length > 0) throw new Error(JSON.stringify(problems, null, 2))
  return graph
}

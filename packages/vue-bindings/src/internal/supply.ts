/**
 * Says whether "no rows" can be believed: are the instances that feed a node (or some tables) up to date,
 * still on their way, failed, or not there at all? Exists so that an app shows "nothing here yet" only when
 * that is a fact. Pure: reads status and graph, asks nobody.
 */
import type { GraphData } from "@espalier/engine/graph"
import type { EngineStatus, InstanceStatus, StatusError } from "@espalier/engine/protocol"

/**
 * - `settled`: everything that feeds the rows has committed an up-to-date at least once
 * - `waiting`: something is still on its way
 * - `absent`: no instance exists although nothing above it is on its way (also for some milliseconds after a
 * parent row arrives)
 * - `failed`: what feeds the rows halted before it ever held them
 */
export type Supply =
  | { readonly is: "settled" | "waiting" | "absent" }
  | { readonly is: "failed"; readonly error: StatusError | null; readonly key: string }

const settled: Supply = { is: "settled" }
const waiting: Supply = { is: "waiting" }
const absent: Supply = { is: "absent" }

const matches = (instance: InstanceStatus, bindings: Readonly<Record<string, string>>): boolean =>
  Object.entries(bindings).every(([name, value]) => instance.bindings[name] === value)

const neverHeld = (instance: InstanceStatus): boolean =>
  instance.lastUpToDateAt === null && instance.state !== "Live"

const ancestorsOf = (graph: GraphData, node: string): ReadonlySet<string> => {
  const found = new Set<string>()
  let parent = graph.nodes[node]?.parent ?? null
  while (parent !== null && !found.has(parent)) {
    found.add(parent)
    parent = graph.nodes[parent]?.parent ?? null
  }
  return found
}

/** The supply of one node's rows, narrowed by partial bindings. */
export const supplyOfNode = (
  graph: GraphData,
  status: EngineStatus | null,
  node: string,
  bindings: Readonly<Record<string, string>>,
): Supply => {
  if (status === null || !status.ready) return waiting
  const ancestors = ancestorsOf(graph, node)
  const feeding: Array<InstanceStatus> = []
  let ancestorOnItsWay = false
  for (const instance of Object.values(status.instances)) {
    if (instance.node === node && matches(instance, bindings)) feeding.push(instance)
    else if (ancestors.has(instance.node) && neverHeld(instance) && instance.state !== "Halted")
      ancestorOnItsWay = true
  }
  const missing = feeding.filter(neverHeld)
  if (missing.some((instance) => instance.state !== "Halted")) return waiting
  const halted = missing[0]
  if (halted !== undefined) return { is: "failed", error: halted.error, key: halted.key }
  // With bindings the instances found are all there can be; without, a parent on its way may bring more.
  if (feeding.length > 0 && Object.keys(bindings).length > 0) return settled
  if (ancestorOnItsWay) return waiting
  return feeding.length > 0 ? settled : absent
}

/** The supply of some tables: that of all nodes that fill them. */
export const supplyOfTables = (
  graph: GraphData,
  status: EngineStatus | null,
  tables: ReadonlyArray<string>,
): Supply => {
  const each = Object.values(graph.nodes)
    .filter((node) => tables.includes(node.table))
    .map((node) => supplyOfNode(graph, status, node.id, {}))
  return (
    each.find((supply) => supply.is === "waiting") ??
    each.find((supply) => supply.is === "failed") ??
    each.find((supply) => supply.is === "settled") ??
    absent
  )
}

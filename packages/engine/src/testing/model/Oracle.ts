/**
 * What a perfect client would hold: every instance the graph demands of the server's rows as they are now, and the rows each
 * selects. The truth that runs are judged by. It reads the graph on its own and shares only the compiler's naming of
 * instances with the engine. Pure but for a cache of compiled instances.
 */
import type { GraphData } from "../../graph/Graph.ts"
import { ownedNodes, ownershipOf } from "../../graph/SyncGraph.ts"
import { CompileError, compileInstance } from "../../protocol/compile.ts"
import type { Lease } from "../../protocol/Lease.ts"
import type { TextRow } from "../../protocol/Message.ts"
import type { Instance, InstanceKey } from "../../protocol/Shape.ts"
import type { Texts } from "./filters.ts"
import { type ReadTable, type Selection, selectionOf, selectRows } from "./selection.ts"

/** An instance as it ought to be. */
export interface Expected {
  readonly instance: Instance
  readonly selection: Selection
  /** Instances whose rows demand it; empty for roots. */
  readonly owners: Set<InstanceKey>
  /** The server's rows it selects, all columns. */
  readonly rows: ReadonlyArray<TextRow>
}

interface Compiled {
  readonly instance: Instance
  readonly selection: Selection
}

export class Oracle {
  readonly graph: GraphData
  readonly params: Texts
  readonly #compiled = new Map<string, Compiled | null>()

  constructor(graph: GraphData, params: Texts) {
    this.graph = graph
    this.params = params
  }

  /** The selection of an instance, from its node and bindings alone. */
  selection(node: string, bindings: Texts): Selection | null {
    return this.#compile(node, bindings)?.selection ?? null
  }

  /** Every instance demanded with these leases; `null`: as if everything were leased (what the user may hold at most). */
  demanded(read: ReadTable, leases: ReadonlyArray<Lease> | null): ReadonlyMap<InstanceKey, Expected> {
    const found = new Map<InstanceKey, Expected>()
    const visit = (node: string, bindings: Texts, owner: InstanceKey | null): void => {
      if (leases !== null && !this.wants(node, bindings, leases)) return
      const compiled = this.#compile(node, bindings)
      if (compiled === null) return
      const { key } = compiled.instance
      const known = found.get(key)
      if (known !== undefined) {
        if (owner !== null) known.owners.add(owner)
        return
      }
      const rows = selectRows(compiled.selection, read)
      found.set(key, { ...compiled, owners: new Set(owner === null ? [] : [owner]), rows })
      for (const owned of ownedNodes(this.graph, node)) {
        for (const values of bindingsIn(this.graph, owned, rows)) visit(owned, values, key)
      }
    }
    for (const node of Object.keys(this.graph.nodes)) {
      if (ownershipOf(this.graph, node).owner === null) visit(node, {}, null)
    }
    return found
  }

  /** `always` nodes follow their owners' rows; `onDemand` nodes need a lease on them or on something below. */
  wants(node: string, bindings: Texts, leases: ReadonlyArray<Lease>): boolean {
    if (this.graph.nodes[node]?.sync === "always") return true
    return leases.some(
      (lease) =>
        (lease.node === node &&
          Object.entries(lease.bindings ?? {}).every(([name, value]) => bindings[name] === value)) ||
        this.#ownersAbove(lease.node).includes(node),
    )
  }

  #ownersAbove(node: string): ReadonlyArray<string> {
    const { owner } = ownershipOf(this.graph, node)
    return owner === null ? [] : [owner, ...this.#ownersAbove(owner)]
  }

  #compile(node: string, bindings: Texts): Compiled | null {
    const name = `${node} ${JSON.stringify(bindings)}`
    const known = this.#compiled.get(name)
    if (known !== undefined) return known
    const compiled = this.#tryCompile(node, bindings)
    this.#compiled.set(name, compiled)
    return compiled
  }

  #tryCompile(node: string, bindings: Texts): Compiled | null {
    try {
      const instance = compileInstance(this.graph, node, bindings, this.params)
      return { instance, selection: selectionOf(this.graph, node, instance.bindings, this.params) }
    } catch (cause) {
      if (cause instanceof CompileError) return null
      throw cause
    }
  }
}

/** The distinct binding values that an owner's rows hold for an owned node. */
export const bindingsIn = (
  graph: GraphData,
  owned: string,
  rows: Iterable<TextRow>,
): ReadonlyArray<Texts> => {
  const { bindings } = ownershipOf(graph, owned)
  const found = new Map<string, Texts>()
  for (const row of rows) {
    const entries: Array<[string, string]> = []
    for (const { binding, column } of bindings) {
      const value = row[column] ?? null
      if (value !== null) entries.push([binding, value])
    }
    if (entries.length === bindings.length) found.set(JSON.stringify(entries), Object.fromEntries(entries))
  }
  return [...found.values()]
}

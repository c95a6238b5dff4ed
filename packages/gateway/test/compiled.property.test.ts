/**
 * Engine and gateway mean the same shape by the same words, for graphs nobody wrote: what the engine compiles, asks for and checks by hash is what
 * the gateway compiles from that request, and what it asks Electric for is what the engine would ask Electric for without a gateway.
 */
import { assert, describe, it } from "@effect/vitest"
import { shapeUrl } from "@espalier/engine/electric"
import type { GraphData } from "@espalier/engine/graph"
import { compileInstance, type Instance, ownership, Wire } from "@espalier/engine/protocol"
import { type Seeded, seeded } from "@espalier/engine/testing"
import { checkDefinition, compileAsk, readAsk } from "../src/authorize.ts"
import { upstreamBase, upstreamUrl } from "../src/forward.ts"
import { madeUpGraph, madeUpValue } from "./support/madeUpGraph.ts"

const graphs = 400
const electric = "http://electric.test/v1/shape"

interface Asked {
  readonly graph: GraphData
  readonly instance: Instance
  readonly identity: Readonly<Record<string, string>>
}

const valuesOf = (random: Seeded, types: ReadonlyArray<readonly [string, string]>) =>
  Object.fromEntries(types.map(([name, type]) => [name, madeUpValue(random, type)]))

/** Every node of a made-up graph with made-up bindings and params, as the engine compiles it. */
const askedOf = (seed: number): ReadonlyArray<Asked> => {
  const random = seeded(seed)
  const graph = madeUpGraph(random)
  const params = valuesOf(
    random,
    Object.entries(graph.params).map(([name, { type }]) => [name, type]),
  )
  const identity = Object.fromEntries(
    Object.entries(params).filter(([name]) => graph.params[name]?.source === "identity"),
  )
  return Object.keys(graph.nodes).map((node) => {
    const table = graph.tables[graph.nodes[node]?.table ?? ""]
    const bindings = valuesOf(
      random,
      ownership(graph, node).bindings.map(({ binding }) => [binding, table?.columns[binding]?.type ?? ""]),
    )
    return { graph, identity, instance: compileInstance(graph, node, bindings, params) }
  })
}

const compiledByGateway = ({ graph, identity, instance }: Asked) => {
  const ask = readAsk(graph, shapeUrl("gateway", "http://gateway.test/v1/shape", instance).search)
  if (ask._tag === "Refusal") throw new Error(ask.message)
  const compiled = compileAsk(graph, ask, identity)
  if ("_tag" in compiled) throw new Error(compiled.message)
  return { ask, compiled }
}

const forEveryGraph = (check: (asked: Asked) => void): void => {
  for (let seed = 1; seed <= graphs; seed++) {
    for (const asked of askedOf(seed)) {
      try {
        check(asked)
      } catch (cause) {
        throw new Error(`seed ${seed}, node ${asked.instance.node}: ${String(cause)}`, { cause })
      }
    }
  }
}

describe(`for ${graphs} made-up graphs`, () => {
  it("the gateway compiles what the engine compiled, with the same key and hash", () => {
    forEveryGraph((asked) => {
      const { ask, compiled } = compiledByGateway(asked)
      assert.deepStrictEqual(compiled, asked.instance)
      assert.isNull(checkDefinition(ask, compiled))
    })
  })

  it("the gateway asks Electric for what the engine would ask it for", () => {
    forEveryGraph((asked) => {
      const { ask, compiled } = compiledByGateway(asked)
      const sent = upstreamUrl(upstreamBase(electric), compiled, ask.forwarded, undefined).searchParams
      const meant = shapeUrl("electric", electric, asked.instance).searchParams
      // A plain column name may be quoted or not; it is the same name.
      const plain = (text: string | null) => text?.replaceAll(/"([a-z_][a-z0-9_]*)"/g, "$1")
      assert.strictEqual(plain(sent.get(Wire.Param.columns)), plain(meant.get(Wire.Param.columns)))
      for (const search of [sent, meant]) search.delete(Wire.Param.columns)
      assert.deepStrictEqual([...sent].toSorted(), [...meant].toSorted())
    })
  })

  it("a definition of another graph is told apart by its hash", () => {
    let told = 0
    forEveryGraph(({ graph, identity, instance }) => {
      const node = graph.nodes[instance.node]
      if (node === undefined) return
      const [first, ...rest] = Object.entries(graph.tables[node.table]?.columns ?? {}).toReversed()
      if (first === undefined) return
      const table = { ...graph.tables[node.table]!, columns: Object.fromEntries(rest.toReversed()) }
      const released = { ...graph, tables: { ...graph.tables, [node.table]: table } }
      const ask = readAsk(released, shapeUrl("gateway", "http://gateway.test/v1/shape", instance).search)
      if (ask._tag === "Refusal") throw new Error(ask.message)
      const compiled = compileAsk(released, ask, identity)
      // A filter may need the column that went: then nothing is compiled at all, which tells them apart as well.
      if (!("_tag" in compiled)) assert.strictEqual(checkDefinition(ask, compiled)?.status, 412)
      told += 1
    })
    assert.isAbove(told, graphs)
  })
})

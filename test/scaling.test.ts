/** The arithmetic of `pnpm scaling`, against a small population that is counted one by one. */
import { assert, describe, it } from "vitest"
import { compileInstance, ownership } from "@espalier/engine/protocol"
import { graph as issues } from "../packages/engine/examples/issues.graph.ts"
import { graph } from "../packages/engine/examples/workspaces.graph.ts"
import { type Installation, isShared, loadOf, type Population } from "../scripts/lib/scaling.ts"

const population: Population = {
  clients: 60,
  online: 1,
  companiesPerClient: 2,
  membersPerCompany: 12,
  changesPerCompanyMinute: 6,
  newPerHour: 1,
}
const installation: Installation = {
  maxConnections: 32,
  liveSliceMillis: 300,
  longPollMillis: 20_000,
  bytesPerWait: 1_000,
  gatewayMicros: 100,
}
const load = loadOf(graph, population, installation)

const uuid = (kind: number, n: number): string =>
  `${kind}0000000-0000-4000-8000-${String(n).padStart(12, "0")}`

/** Company `n` and the next one: 10 companies of 12 people, two for each of 60. */
const companiesOf = (client: number): ReadonlyArray<number> => [client % 10, (client + 1) % 10]

/** Every shape of every client, as the compiler makes it. */
const compiled = Array.from({ length: population.clients }, (_, client) =>
  Object.keys(graph.nodes).flatMap((node) => {
    const [bound] = ownership(graph, node).bindings
    const values =
      bound === undefined ? [{}] : companiesOf(client).map((n) => ({ [bound.binding]: uuid(2, n) }))
    return values.map((bindings) => compileInstance(graph, node, bindings, { userId: uuid(1, client) }).hash)
  }),
)

describe("the arithmetic of scaling", () => {
  it("knows by compiling which nodes the members of a company share", () => {
    const shared = Object.keys(graph.nodes).filter((node) => isShared(graph, node))
    assert.deepStrictEqual(shared, [
      "companies",
      "members",
      "people",
      "groups",
      "groupMembers",
      "workspaces",
      "folders",
    ])
    assert.isFalse(isShared(issues, "assigned"))
    assert.isTrue(isShared(issues, "closed"))
  })

  it("counts the shapes that a counted population has", () => {
    assert.strictEqual(load.instancesPerClient, compiled[0]?.length)
    assert.strictEqual(load.shapes, new Set(compiled.flat()).size)
    assert.strictEqual(load.openRequests, compiled.flat().length)
  })

  it("lets through a cache what is different among the open requests", () => {
    const share = new Set(compiled.flat()).size / compiled.flat().length
    assert.closeTo(load.requestsPastCache / load.requestsPerSecond, share, 1e-9)
    assert.closeTo(1 - load.snapshotHits, share, 1e-9)
  })

  it("has every shape waiting when there are connections enough, and rotates them otherwise", () => {
    // 16 polls that end every 20 s, and 2 companies with 6 changes a minute.
    assert.closeTo(load.requestsPerSecond, 60 * (16 / 20 + 0.2), 1e-9)
    assert.strictEqual(load.stalenessMillis, 0)
    const few = loadOf(graph, population, { ...installation, maxConnections: 4 })
    assert.closeTo(few.requestsPerSecond, (60 * 4) / 0.3, 1e-9)
    assert.strictEqual(few.stalenessMillis, 1_200)
  })
})

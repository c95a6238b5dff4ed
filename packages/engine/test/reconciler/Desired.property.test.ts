/**
 * Desired state that was kept up to date step by step equals the one computed from scratch, for random sequences of row
 * changes, leases and parameters. The store is a table of rows per owner that also answers for single rows, so that the
 * incremental way and the whole way read the same truth. `ENGINE_SEED` and `ENGINE_RUNS` replay and lengthen it.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { defaultEngineConfig, type Lease, type LocalStore, type OwnerRow } from "@espalier/engine"
import { client, eq, Graph, identity, param } from "@espalier/engine/graph"
import { refreshDemand } from "../../src/reconciler/DemandReads.ts"
import { demandRoots, noChange } from "../../src/reconciler/Desired.ts"
import { demandLeased } from "../../src/reconciler/Leased.ts"
import { changeParams, retire } from "../../src/reconciler/Params.ts"
import { markOwner } from "../../src/reconciler/Owners.ts"
import { expire, takeIn } from "../../src/reconciler/Steps.ts"
import { type InstanceRecord, makeWorld, type World } from "../../src/reconciler/World.ts"
import { seeded } from "../../src/testing/random.ts"

const firstSeed = Number(process.env["ENGINE_SEED"] ?? 1)
const runs = Number(process.env["ENGINE_RUNS"] ?? 200)
const steps = 40

const graph = Graph.make({
  name: "incremental",
  params: { userId: identity("text"), chosen: client("text") },
  tables: {
    seats: { columns: { id: "text", team_id: "text", user_id: "text" }, primaryKey: ["id"] },
    teams: { columns: { id: "text", next_id: "text?", kind: "text" }, primaryKey: ["id"] },
    notes: { columns: { id: "text", team_id: "text", kind: "text", ref: "text?" }, primaryKey: ["id"] },
    items: { columns: { id: "text", ref: "text", team_id: "text" }, primaryKey: ["id"] },
  },
  nodes: {
    mine: { table: "seats", where: eq("user_id", param("userId")), key: "user-{userId}" },
    picked: { table: "teams", where: eq("id", param("chosen")), key: "picked-{chosen}" },
    near: { table: "teams", parent: "picked", on: { id: "next_id" }, key: "near-{id}" },
    teams: { table: "teams", parent: "mine", on: { id: "team_id" }, key: "team-{id}", sync: "onDemand" },
    seats: { table: "seats", parent: "teams", on: { team_id: "id" }, key: "team-{id}-seats" },
    notes: {
      table: "notes",
      parent: "teams",
      on: { team_id: "id" },
      key: "team-{id}-notes",
      sync: "onDemand",
    },
    sorted: {
      table: "notes",
      parent: "teams",
      on: { team_id: "id" },
      where: eq("kind", param("chosen")),
      key: "team-{id}-sorted",
    },
    items: {
      table: "items",
      parent: "notes",
      on: { ref: "ref", team_id: "team_id" },
      key: "team-{team_id}-note-{ref}-items",
      sync: "onDemand",
    },
  },
})

type Row = Readonly<Record<string, string | null>>
type Rows = Map<string, Map<string, Row>>

const storeOf = (rows: Rows): LocalStore["Service"] => {
  const read = (owner: string, columns: ReadonlyArray<string>, key: string): OwnerRow => {
    const row = rows.get(owner)?.get(key)
    const values = columns.map((column) => row?.[column] ?? null).filter((value) => value !== null)
    return { key: [key], values: values.length === columns.length ? values : null }
  }
  const unused = Effect.die("the desired state reads owners' rows and nothing else")
  return {
    ownerRows: (owners, columns) =>
      Effect.succeed(
        owners.map((owner) => ({
          owner,
          rows: [...(rows.get(owner)?.keys() ?? [])]
            .map((key) => read(owner, columns, key))
            .filter(({ values }) => values !== null),
        })),
      ),
    ownerRowsAt: (owner, columns, keys) => Effect.succeed(keys.map(([key]) => read(owner, columns, key!))),
    instances: unused,
    commit: () => unused,
    discardStage: () => unused,
    collect: () => unused,
    holders: () => unused,
    heldKeys: () => unused,
    wipe: unused,
  }
}

const open = Effect.fnUntraced(function* (rows: Rows, leases: ReadonlyArray<Lease>, chosen: string) {
  const world = makeWorld(graph, { userId: "u", chosen }, defaultEngineConfig)
  for (const lease of leases) world.leases.add(lease)
  const change = noChange()
  demandRoots(world, 0, change)
  takeIn(world, change, "unleased", 0)
  yield* refreshDemand(world, storeOf(rows))
  return world
})

/** Demanded from a root down; what a gone binding still holds during the grace is not. */
const reachable = (world: World, record: InstanceRecord): boolean =>
  record.rootDemand ||
  [...record.demandedBy.keys()].some((key) => {
    const owner = world.records.get(key)
    return owner !== undefined && reachable(world, owner)
  })

/** What is demanded, by whom, under which definition. */
const desired = (world: World) =>
  Object.fromEntries(
    [...world.records.values()]
      .filter((record) => reachable(world, record))
      .map((record): [string, unknown] => {
        const by = [...record.demandedBy].filter(([key]) => reachable(world, world.records.get(key)!))
        return [
          record.key,
          { root: record.rootDemand, by: Object.fromEntries(by.toSorted()), hash: record.instance.hash },
        ]
      })
      .toSorted(([left], [right]) => (left < right ? -1 : 1)),
  )

const play = Effect.fnUntraced(function* (seed: number) {
  const { below, chance } = seeded(seed)
  const letter = (): string => "abcd"[below(4)]!
  const rows: Rows = new Map()
  const leases: Array<Lease> = []
  let chosen = letter()
  const world = yield* open(rows, leases, chosen)
  let now = 0
  let sizes = 0

  /** A row of an owner: its own bindings are given, as in a shape. */
  const rowOf = (owner: string): Row => {
    const record = world.records.get(owner)
    const fixed = record?.instance.bindings ?? {}
    const free = Object.fromEntries(
      Object.entries(graph.tables[record?.instance.table ?? ""]?.columns ?? {}).map(
        ([name, { nullable }]) => [name, nullable && chance(0.2) ? null : letter()],
      ),
    )
    return { ...free, ...fixed }
  }
  const owners = () =>
    [...world.records.values()].filter((record) => (world.links.get(record.node.id) ?? []).length > 0)
  const changeRow = (): void => {
    const owner = owners()[below(owners().length)]
    if (owner === undefined) return
    const held = rows.get(owner.key) ?? new Map<string, Row>()
    rows.set(owner.key, held)
    const key = `r${below(4)}`
    if (chance(0.35)) held.delete(key)
    else held.set(key, rowOf(owner.key))
    markOwner(world, owner, chance(0.1) ? "all" : [[key]])
  }
  const lease = (): void => {
    const change = noChange()
    if (leases.length > 0 && chance(0.5)) {
      const [ended] = leases.splice(below(leases.length), 1)
      demandLeased(world, world.leases.delete(ended!), now, change)
    } else {
      const node = ["teams", "notes", "items", "seats", "mine", "picked", "near"][below(7)]!
      const names = (world.ownership.get(node)?.bindings ?? []).filter(() => chance(0.7))
      const bindings = Object.fromEntries(names.map(({ binding }) => [binding, letter()]))
      const made: Lease = chance(0.2) ? { node } : { node, bindings }
      leases.push(made)
      demandLeased(world, world.leases.add(made), now, change)
    }
    takeIn(world, change, "unleased", now)
  }
  const choose = (): void => {
    chosen = letter()
    const change = changeParams(world, { chosen }, now)
    assert.isTrue(change instanceof Set)
    if (change instanceof Set) takeIn(world, change, "unleased", now)
  }

  for (let step = 0; step < steps; step++) {
    // Several changes may share a pass.
    for (let count = 0; count <= below(3); count++) {
      if (chance(0.55)) changeRow()
      else if (chance(0.65)) lease()
      else choose()
    }
    yield* refreshDemand(world, storeOf(rows))
    takeIn(world, retire(world), "unleased", now)
    yield* refreshDemand(world, storeOf(rows))
    if (chance(0.3)) expire(world, (now += 20_000))
    const scratch = desired(yield* open(rows, leases, chosen))
    assert.deepStrictEqual(desired(world), scratch, `seed ${seed}, step ${step}`)
    sizes += Object.keys(scratch).length
  }
  return sizes
})

describe("Desired state", () => {
  it.effect("is the same step by step as from scratch, for random rows, leases and parameters (I18)", () =>
    Effect.gen(function* () {
      let sizes = 0
      for (let seed = firstSeed; seed < firstSeed + runs; seed++) sizes += yield* play(seed)
      assert.isAbove(sizes / (runs * steps), 3, "the runs reach below the roots")
    }),
  )
})

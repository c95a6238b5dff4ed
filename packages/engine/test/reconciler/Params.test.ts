/** What a change of client parameters moves, what it leaves alone, and what leases and reloads do to the desired state. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { defaultEngineConfig, Engine, EngineConfig, HostSignals, LocalStore } from "@espalier/engine"
import { client, eq, Graph, identity, param } from "@espalier/engine/graph"
import { batch, insert, snapshotEnd, MemoryLocalStore, ScriptedShapeSource } from "@espalier/engine/testing"
import { pass } from "./support.ts"

const keepForMillis = 10_000

/** Half a second in small steps: what one step causes is seen by the next. */
const settle = pass(0.5)

/** Two roots choose by the same parameter: one key each company, and one key whose definition changes. */
const graph = Graph.make({
  name: "route",
  params: { userId: identity("text"), companyId: client("text") },
  tables: {
    companies: { columns: { id: "text", owner_id: "text" }, primaryKey: ["id"] },
    members: { columns: { id: "text", company_id: "text", person_id: "text" }, primaryKey: ["id"] },
    people: { columns: { id: "text" }, primaryKey: ["id"] },
    notes: { columns: { id: "text", company_id: "text" }, primaryKey: ["id"] },
  },
  nodes: {
    mine: { table: "companies", where: eq("owner_id", param("userId")), key: "user-{userId}" },
    chosen: {
      table: "members",
      where: eq("company_id", param("companyId")),
      key: "company-{companyId}-members",
      keepForMillis,
    },
    people: { table: "people", parent: "chosen", on: { id: "person_id" }, key: "person-{id}", keepForMillis },
    board: { table: "notes", where: eq("company_id", param("companyId")), key: "board" },
  },
})

const layer = (companyId = "a") =>
  Engine.layer({ graph, params: { userId: "u", companyId } }).pipe(
    Layer.provideMerge(ScriptedShapeSource.layer),
    Layer.provide(Layer.succeed(HostSignals, HostSignals.alwaysOnline)),
    Layer.provide(Layer.succeed(EngineConfig, { ...defaultEngineConfig, maxConcurrentSnapshots: 100 })),
  )
const memory = MemoryLocalStore.layer({ graph })
const world = layer().pipe(Layer.provideMerge(memory))

const snapshot = (handle: string, ...messages: ReadonlyArray<ReturnType<typeof insert>>) =>
  batch({ handle, offset: "0_0", messages: [...messages, snapshotEnd()] })
const member = (company: string, person: string) =>
  insert("members", { id: `${company}-${person}`, company_id: company, person_id: person })
const members = (company: string, ...people: ReadonlyArray<string>) =>
  snapshot(`h-${company}`, ...people.map((person) => member(company, person)))

/** Company a chosen, with persons p and q; everything live. */
const liveInA = Effect.gen(function* () {
  const source = yield* ScriptedShapeSource
  yield* settle
  yield* source.onAnyStart(({ instance, resume }) =>
    resume !== null
      ? []
      : [
          instance.node === "people"
            ? snapshot(`h-${instance.key}`, insert("people", { id: instance.bindings["id"]! }))
            : snapshot(`h-${instance.key}`),
        ],
  )
  const inA = members("a", "p", "q")
  yield* source.onStart("company-a-members", ({ resume }) => (resume === null ? [inA] : []))
  yield* source.onStart("company-b-members", ({ resume }) =>
    resume === null ? [members("b", "q", "r")] : [],
  )
  // These started with the engine, before the scripts.
  for (const key of source.running())
    yield* source.push(key, key === "company-a-members" ? inA : snapshot(`h-${key}`))
  yield* settle
  const engine = yield* Engine
  assert.strictEqual((yield* engine.status).state, "live")
  return { source, engine, store: yield* LocalStore }
})

const running = Effect.map(ScriptedShapeSource, (source) => [...source.running()].toSorted())

describe("Engine.setParams", () => {
  it.effect("moves to the new company and leaves what both share running (I19)", () =>
    Effect.gen(function* () {
      const { engine, source } = yield* liveInA
      yield* source.onStart("company-b-members", ({ resume }) =>
        resume === null ? [{ _tag: "Hang" }, members("b", "q", "r")] : [],
      )
      yield* engine.setParams({ companyId: "b" })
      yield* settle
      assert.deepStrictEqual(yield* running, ["board", "company-b-members", "user-u"])
      yield* source.release("company-b-members")
      yield* settle
      assert.deepStrictEqual(yield* running, ["board", "company-b-members", "person-q", "person-r", "user-u"])
      assert.strictEqual(source.runs("user-u").length, 1, "what no parameter touches is not restarted")
      // From now on the store knows company a's members: going back stops nothing that b shares with it.
      yield* engine.setParams({ companyId: "a" })
      yield* settle
      assert.deepStrictEqual(yield* running, ["board", "company-a-members", "person-q", "user-u"])
      yield* source.upToDate("company-a-members")
      yield* settle
      assert.deepStrictEqual(yield* running, ["board", "company-a-members", "person-p", "person-q", "user-u"])
      assert.strictEqual(source.runs("person-q").at(-1)?.state, "running")
      assert.strictEqual(
        source.runs("person-q").length,
        2,
        "stopped once, on the way to rows nobody knew yet",
      )
    }).pipe(Effect.provide(world)),
  )

  it.effect("keeps what left for keepFor, then collects it", () =>
    Effect.gen(function* () {
      const { engine, store } = yield* liveInA
      yield* engine.setParams({ companyId: "b" })
      yield* settle
      assert.deepStrictEqual(yield* store.holders("people", ["p"]), ["person-p"])
      yield* TestClock.adjust(keepForMillis - 1_000)
      assert.deepStrictEqual(yield* store.holders("people", ["p"]), ["person-p"])
      yield* pass(1)
      assert.deepStrictEqual(yield* store.holders("people", ["p"]), [])
      assert.deepStrictEqual(yield* store.holders("people", ["q"]), ["person-q"])
      assert.notInclude(
        (yield* store.instances).map(({ key }) => key),
        "company-a-members",
      )
    }).pipe(Effect.provide(world)),
  )

  it.effect("fetches anew beside the old rows when the definition changes under its key", () =>
    Effect.gen(function* () {
      const { engine, source, store } = yield* liveInA
      yield* source.push(
        "board",
        batch({
          handle: "h-board",
          offset: "1_0",
          messages: [insert("notes", { id: "n", company_id: "a" }, { lsn: 1 })],
        }),
      )
      yield* settle
      yield* source.onStart("board", [])
      yield* engine.setParams({ companyId: "b" })
      yield* settle
      assert.strictEqual((yield* engine.status).instances["board"]?.state, "Refetching")
      assert.deepStrictEqual(yield* store.heldKeys("board"), [["n"]], "the old rows stay readable")
      assert.deepStrictEqual(source.runs("board").at(-1)?.instance.definition.params, { "1": "b" })
      yield* source.push("board", snapshot("h2", insert("notes", { id: "m", company_id: "b" })))
      yield* settle
      assert.deepStrictEqual(yield* store.heldKeys("board"), [["m"]])
    }).pipe(Effect.provide(world)),
  )

  it.effect("goes there and back in one breath without stopping anything (I19)", () =>
    Effect.gen(function* () {
      const { engine, source } = yield* liveInA
      const before = source.runs().length
      yield* Effect.all([engine.setParams({ companyId: "b" }), engine.setParams({ companyId: "a" })], {
        concurrency: "unbounded",
      })
      yield* settle
      assert.deepStrictEqual(yield* running, ["board", "company-a-members", "person-p", "person-q", "user-u"])
      assert.deepStrictEqual(
        source
          .runs()
          .slice(before)
          .map(({ key }) => key),
        ["board"],
        "its definition changed twice; the rest never stopped",
      )
    }).pipe(Effect.provide(world)),
  )

  it.effect(
    "refuses what is unknown, of another type, or not the client's to choose, and changes nothing",
    () =>
      Effect.gen(function* () {
        const { engine } = yield* liveInA
        for (const name of ["userId", "route"]) {
          const refused = yield* Effect.flip(engine.setParams({ companyId: "b", [name]: "v" }))
          assert.include(refused.message, name)
        }
        yield* settle
        assert.include(yield* running, "company-a-members")
      }).pipe(Effect.provide(world)),
  )
})

describe("Desired state", () => {
  it.effect("starts from the store's rows after a reload, before any answer of the server", () =>
    Effect.gen(function* () {
      const store = yield* Layer.build(memory)
      yield* liveInA.pipe(Effect.provide(layer()), Effect.provide(store))
      yield* Effect.gen(function* () {
        // No script: the source never answers.
        const status = yield* Engine.use((engine) => engine.status)
        assert.isTrue(status.ready)
        assert.deepStrictEqual(
          Object.values(status.instances)
            .filter(({ desired }) => desired)
            .map(({ key }) => key)
            .toSorted(),
          ["board", "company-a-members", "person-p", "person-q", "user-u"],
        )
        assert.strictEqual(status.progress.complete, 5)
      }).pipe(Effect.provide(layer()), Effect.provide(store))
    }),
  )

  it.effect("counts a lease on the instance it names alone, and forgets it when it ends", () =>
    Effect.gen(function* () {
      const { engine } = yield* liveInA
      yield* engine.setParams({ companyId: "b" })
      yield* settle
      const scope = yield* Scope.make()
      yield* engine.acquire({ node: "people", bindings: { id: "r" } }).pipe(Scope.provide(scope))
      yield* settle
      const status = yield* engine.status
      assert.strictEqual(status.instances["person-r"]?.leases, 1)
      assert.strictEqual(status.instances["person-q"]?.leases, 0)
      yield* Scope.close(scope, Exit.void)
      yield* settle
      assert.strictEqual((yield* engine.status).instances["person-r"]?.leases, 0)
    }).pipe(Effect.provide(world)),
  )
})

describe("Engine.explainRow", () => {
  it.effect("says which instances hold a row and why each is here", () =>
    Effect.gen(function* () {
      const { engine } = yield* liveInA
      assert.deepStrictEqual(yield* engine.explainRow("members", ["a-p"]), {
        table: "members",
        primaryKey: ["a-p"],
        heldBy: [
          {
            key: "company-a-members",
            node: "chosen",
            desired: true,
            state: "Live",
            why: [`"chosen" is a root of the graph and syncs always.`],
          },
        ],
      })
      assert.deepStrictEqual((yield* engine.explainRow("members", ["nobody"])).heldBy, [])
      yield* engine.setParams({ companyId: "b" })
      yield* settle
      const gone = yield* engine.explain("company-a-members")
      assert.isFalse(gone.desired)
      assert.match(gone.next ?? "", /^its rows go at \d+: nobody asks any more$/)
    }).pipe(Effect.provide(world)),
  )
})

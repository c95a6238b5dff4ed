import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { Engine, LocalStore } from "@espalier/engine"
import { MemoryLocalStore, ScriptedShapeSource } from "@espalier/engine/memory"
import { Forbidden, Network, Overloaded, ShapeRejected } from "@espalier/engine/protocol"
import { batch, insert, mustRefetch, snapshotEnd, update } from "../../src/testing/messages.ts"
import {
  engineLayer,
  flippableHost,
  memory,
  mine,
  pass,
  seatIn,
  seatOut,
  seatsSnapshot,
  settle,
  snapshot,
} from "./support.ts"

const team = (id: string) => snapshot(`h-team-${id}`, insert("teams", { id, name: `team ${id}` }))

/** Brings user u into teams a and b, everything live. */
const liveWithTwoTeams = Effect.gen(function* () {
  const source = yield* ScriptedShapeSource
  yield* settle
  yield* source.push(mine, seatsSnapshot("h-mine", ["s1", "a"], ["s2", "b"]))
  yield* settle
  for (const id of ["a", "b"]) {
    yield* source.push(`team-${id}`, team(id))
    yield* settle
    yield* source.push(
      `team-${id}-seats`,
      seatsSnapshot(`h-seats-${id}`, [`s${id === "a" ? 1 : 2}`, id], [`x-${id}`, id]),
    )
    yield* settle
  }
  return { source, engine: yield* Engine, store: yield* LocalStore }
})

const stateOf = (key: string) =>
  Effect.map(
    Engine.use((engine) => engine.status),
    (status) => status.instances[key]?.state,
  )
const rollup = Effect.map(
  Engine.use((engine) => engine.status),
  (status) => status.state,
)
const held = (key: string) => LocalStore.use((store) => store.heldKeys(key))

describe("Reconciler", () => {
  it.effect("starts parents before children and children only for rows their owner holds (I9, I14)", () =>
    Effect.gen(function* () {
      const source = yield* ScriptedShapeSource
      yield* settle
      assert.deepStrictEqual(source.running(), [mine])
      yield* source.push(mine, seatsSnapshot("h", ["s1", "a"]))
      yield* settle
      assert.deepStrictEqual(source.running(), [mine, "team-a"])
      yield* source.push("team-a", team("a"))
      yield* settle
      assert.deepStrictEqual(source.running(), [mine, "team-a", "team-a-seats"])
      assert.strictEqual(yield* rollup, "loading")
      yield* source.push("team-a-seats", seatsSnapshot("h2", ["s1", "a"]))
      yield* settle
      assert.strictEqual(yield* rollup, "live")
    }).pipe(Effect.provide(engineLayer(memory))),
  )

  it.effect("collects a revoked subtree in one go and keeps rows another instance holds (I13)", () =>
    Effect.gen(function* () {
      const { source, store } = yield* liveWithTwoTeams
      // x-b is also held by team a's seats from now on.
      yield* source.push(
        "team-a-seats",
        batch({ handle: "h-seats-a", offset: "5_0", messages: [seatIn("x-b", "a", 5)] }),
      )
      yield* settle
      yield* source.push(mine, batch({ handle: "h-mine", offset: "6_0", messages: [seatOut("s2", 6)] }))
      yield* settle
      assert.include(source.running(), "team-b", "the grace has not passed")
      yield* TestClock.adjust("300 millis")
      assert.deepStrictEqual([...source.running()].toSorted(), ["team-a", "team-a-seats", mine].toSorted())
      assert.deepStrictEqual(
        (yield* store.instances).map((instance) => instance.key).toSorted(),
        ["team-a", "team-a-seats", mine].toSorted(),
      )
      assert.deepStrictEqual(yield* store.holders("seats", ["x-b"]), ["team-a-seats"])
      assert.deepStrictEqual(yield* store.holders("seats", ["s2"]), [])
    }).pipe(Effect.provide(engineLayer(memory))),
  )

  it.effect("lets a binding that comes back within the grace keep everything running", () =>
    Effect.gen(function* () {
      const { source } = yield* liveWithTwoTeams
      yield* source.push(mine, batch({ handle: "h-mine", offset: "6_0", messages: [seatOut("s2", 6)] }))
      yield* settle
      yield* source.push(mine, batch({ handle: "h-mine", offset: "7_0", messages: [seatIn("s9", "b", 7)] }))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(
        source.runs("team-b").map((run) => run.state),
        ["running"],
      )
      assert.strictEqual(yield* rollup, "live")
    }).pipe(Effect.provide(engineLayer(memory))),
  )

  it.effect("keeps old rows until the refetched snapshot is committed, then swaps", () =>
    Effect.gen(function* () {
      const { source } = yield* liveWithTwoTeams
      yield* source.push(
        "team-a-seats",
        mustRefetch,
        batch({
          handle: "h2",
          offset: "0_0",
          messages: [insert("seats", { id: "n1", team_id: "a", user_id: "v" })],
          upToDate: false,
        }),
      )
      yield* settle
      assert.strictEqual(yield* stateOf("team-a-seats"), "Refetching")
      assert.deepStrictEqual(yield* held("team-a-seats"), [["s1"], ["x-a"]])
      yield* source.push("team-a-seats", batch({ handle: "h2", offset: "0_inf", messages: [snapshotEnd()] }))
      yield* settle
      assert.deepStrictEqual(yield* held("team-a-seats"), [["n1"]])
      assert.strictEqual(yield* stateOf("team-a-seats"), "Live")
    }).pipe(Effect.provide(engineLayer(memory))),
  )

  it.effect("makes log readable only at its up-to-date (I11)", () =>
    Effect.gen(function* () {
      const { source } = yield* liveWithTwoTeams
      yield* source.push(
        "team-a-seats",
        batch({ handle: "h-seats-a", offset: "8_0", messages: [seatIn("n", "a", 8)], upToDate: false }),
      )
      yield* settle
      assert.deepStrictEqual(yield* held("team-a-seats"), [["s1"], ["x-a"]])
      yield* source.push(
        "team-a-seats",
        batch({ handle: "h-seats-a", offset: "8_2", messages: [seatIn("o", "a", 8)] }),
      )
      yield* settle
      assert.deepStrictEqual(yield* held("team-a-seats"), [["n"], ["o"], ["s1"], ["x-a"]])
    }).pipe(Effect.provide(engineLayer(memory))),
  )

  it.effect(
    "lands a first snapshot part by part and resumes after the part that was committed (I2, I11)",
    () =>
      Effect.gen(function* () {
        const source = yield* ScriptedShapeSource
        yield* settle
        yield* source.push(
          mine,
          batch({
            handle: "h",
            offset: "0_0",
            messages: [insert("seats", { id: "s1", team_id: "a", user_id: "u" })],
            upToDate: false,
          }),
        )
        yield* settle
        assert.deepStrictEqual(yield* held(mine), [["s1"]])
        yield* source.fail(mine, new Network({ message: "reset" }))
        yield* pass(20)
        assert.deepStrictEqual(source.resumes(mine), [null, { handle: "h", offset: "0_0" }])
      }).pipe(Effect.provide(engineLayer(memory))),
  )

  it.effect(
    "never retries before Retry-After and resets the attempt only at a committed up-to-date (I5, I6)",
    () =>
      Effect.gen(function* () {
        const source = yield* ScriptedShapeSource
        yield* settle
        yield* source.fail(mine, new Overloaded({ status: 503, retryAfterMillis: 30_000, message: "busy" }))
        yield* settle
        assert.strictEqual(yield* stateOf(mine), "Backoff")
        yield* TestClock.adjust("29 seconds")
        assert.strictEqual(source.runs(mine).length, 1)
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(source.runs(mine).length, 2)
        yield* source.push(mine, batch({ offset: "0_0", messages: [], upToDate: false }))
        yield* settle
        assert.strictEqual((yield* Engine.use((engine) => engine.status)).instances[mine]?.attempt, 1)
        yield* source.push(mine, batch({ offset: "0_inf", messages: [snapshotEnd()] }))
        yield* settle
        assert.strictEqual((yield* Engine.use((engine) => engine.status)).instances[mine]?.attempt, 0)
      }).pipe(Effect.provide(engineLayer(memory))),
  )

  it.effect(
    "says offline when requests fail without any answer, shows rows from disk, and is live again after",
    () =>
      Effect.gen(function* () {
        const store = yield* Layer.build(memory)
        const run = <A, E>(body: Effect.Effect<A, E, Engine | ScriptedShapeSource | LocalStore>) =>
          body.pipe(Effect.provide(engineLayer(Layer.succeedContext(store))))
        yield* run(liveWithTwoTeams)
        yield* run(
          Effect.gen(function* () {
            const source = yield* ScriptedShapeSource
            yield* source.onStart(mine, ({ run: number }) =>
              number <= 3 ? [{ _tag: "Fail", reason: new Network({ message: "refused" }) }] : [],
            )
            yield* pass(5)
            assert.strictEqual(yield* rollup, "offline")
            assert.deepStrictEqual(yield* held("team-b-seats"), [["s2"], ["x-b"]])
            assert.deepStrictEqual(
              source.runs().filter((entry) => entry.key !== mine),
              [],
              "children wait for their ancestors (I12)",
            )
            yield* pass(30)
            assert.deepStrictEqual(source.resumes(mine).at(-1), { handle: "h-mine", offset: "0_0" })
            yield* source.push(mine, batch({ handle: "h-mine", offset: "9_0" }))
            yield* settle
            for (const id of ["a", "b"]) {
              yield* source.push(`team-${id}`, batch({ handle: `h-team-${id}`, offset: "9_0" }))
              yield* settle
              yield* source.push(`team-${id}-seats`, batch({ handle: `h-seats-${id}`, offset: "9_0" }))
            }
            yield* settle
            assert.strictEqual(yield* rollup, "live")
            assert.deepStrictEqual(source.resumes("team-a-seats"), [{ handle: "h-seats-a", offset: "0_0" }])
          }),
        )
      }),
  )

  it.effect("collects what was revoked while away before anything new is readable (I12)", () =>
    Effect.gen(function* () {
      const host = yield* flippableHost
      yield* Effect.gen(function* () {
        const { source, store } = yield* liveWithTwoTeams
        yield* host.setOnline(false)
        yield* settle
        assert.deepStrictEqual(source.running(), [])
        assert.strictEqual(yield* rollup, "offline")
        yield* host.setOnline(true)
        yield* settle
        assert.deepStrictEqual(source.running(), [mine], "roots first")
        yield* source.push(
          "team-a",
          batch({
            handle: "h-team-a",
            offset: "9_0",
            messages: [insert("teams", { id: "new", name: "n" }, { lsn: 9 })],
          }),
        )
        yield* source.push(mine, batch({ handle: "h-mine", offset: "9_0", messages: [seatOut("s2", 9)] }))
        yield* settle
        assert.deepStrictEqual(yield* held("team-a"), [["a"]], "nothing new while team b is still to go")
        yield* TestClock.adjust("400 millis")
        assert.notInclude(
          (yield* store.instances).map((instance) => instance.key),
          "team-b",
        )
        assert.deepStrictEqual(yield* held("team-a"), [["a"], ["new"]])
      }).pipe(Effect.provide(engineLayer(memory, { signals: host.signals })))
    }),
  )

  it.effect("gives rows up only for the gateway's own denial; any other keeps them", () =>
    Effect.gen(function* () {
      const { source } = yield* liveWithTwoTeams
      yield* TestClock.adjust("10 seconds")
      yield* source.fail("team-a-seats", new Forbidden({ revoked: false, message: "captive portal" }))
      yield* source.fail("team-b-seats", new Forbidden({ revoked: true, message: "not a member" }))
      yield* TestClock.adjust("60 seconds")
      assert.strictEqual(yield* stateOf("team-a-seats"), "Halted")
      assert.deepStrictEqual(yield* held("team-a-seats"), [["s1"], ["x-a"]])
      assert.strictEqual(yield* stateOf("team-b-seats"), "Halted")
      assert.deepStrictEqual(yield* held("team-b-seats"), [])
      assert.deepStrictEqual(yield* LocalStore.use((store) => store.holders("seats", ["s2"])), [mine])
      assert.strictEqual(yield* rollup, "blocked")
    }).pipe(Effect.provide(engineLayer(memory))),
  )

  it.effect("opens a denied instance again when the rows that demand it change", () =>
    Effect.gen(function* () {
      const { source } = yield* liveWithTwoTeams
      yield* pass(10)
      yield* source.fail("team-b", new Forbidden({ revoked: true, message: "not a member" }))
      yield* settle
      assert.strictEqual(yield* stateOf("team-b"), "Halted")
      yield* source.push(
        mine,
        batch({ handle: "h-mine", offset: "9_0", messages: [seatOut("s2", 9), seatIn("s3", "b", 9)] }),
      )
      yield* settle
      yield* source.push("team-b", team("b"))
      yield* settle
      assert.strictEqual(yield* stateOf("team-b"), "Live")
      assert.deepStrictEqual(yield* held("team-b"), [["b"]])
    }).pipe(Effect.provide(engineLayer(memory))),
  )

  it.effect("waits out a denial that comes right after the demanding row arrived", () =>
    Effect.gen(function* () {
      const source = yield* ScriptedShapeSource
      yield* settle
      yield* source.push(mine, seatsSnapshot("h", ["s1", "a"]))
      yield* settle
      yield* source.fail("team-a", new Forbidden({ revoked: true, message: "not yet" }))
      yield* settle
      assert.strictEqual(yield* stateOf("team-a"), "Backoff")
      yield* TestClock.adjust("5 seconds")
      yield* source.push("team-a", team("a"))
      yield* settle
      assert.strictEqual(yield* stateOf("team-a"), "Live")
    }).pipe(Effect.provide(engineLayer(memory))),
  )

  it.effect("halts on a refused shape, says the server's words, and tries again when asked", () =>
    Effect.gen(function* () {
      const source = yield* ScriptedShapeSource
      const engine = yield* Engine
      yield* settle
      yield* source.fail(mine, new ShapeRejected({ status: 400, message: "where: no such column" }))
      yield* TestClock.adjust("10 minutes")
      const status = yield* engine.status
      assert.strictEqual(status.state, "error")
      assert.deepStrictEqual(status.instances[mine]?.error, {
        reason: "ShapeRejected",
        message: "where: no such column",
      })
      assert.strictEqual(source.runs(mine).length, 1)
      assert.strictEqual(yield* engine.retry(mine), true)
      assert.strictEqual(yield* engine.retry("no-such-key"), false)
      yield* settle
      assert.strictEqual(source.runs(mine).length, 2)
    }).pipe(Effect.provide(engineLayer(memory))),
  )

  it.effect("refetches an instance that is sent an update of a row it does not hold", () =>
    Effect.gen(function* () {
      const { source } = yield* liveWithTwoTeams
      yield* source.push(
        "team-a-seats",
        batch({
          handle: "h-seats-a",
          offset: "9_0",
          messages: [update("seats", { id: "ghost", team_id: "a" }, { lsn: 9 })],
        }),
      )
      yield* settle
      assert.strictEqual(yield* stateOf("team-a-seats"), "Refetching")
      assert.deepStrictEqual(source.resumes("team-a-seats"), [null, null])
      assert.deepStrictEqual(yield* held("team-a-seats"), [["s1"], ["x-a"]])
    }).pipe(Effect.provide(engineLayer(memory))),
  )

  it.effect("runs onDemand nodes while leased and collects them keepFor after the last lease", () =>
    Effect.gen(function* () {
      const { engine, source, store } = yield* liveWithTwoTeams
      const first = yield* Scope.make()
      const second = yield* Scope.make()
      const lease = { node: "notes", bindings: { team_id: "a" } }
      yield* engine.acquire(lease).pipe(Effect.provideService(Scope.Scope, first))
      yield* engine.acquire(lease).pipe(Effect.provideService(Scope.Scope, second))
      yield* settle
      assert.include(source.running(), "team-a-notes")
      assert.notInclude(source.running(), "team-b-notes")
      yield* source.push("team-a-notes", snapshot("h-notes", insert("notes", { id: "n", team_id: "a" })))
      yield* settle
      yield* Scope.close(first, Exit.void)
      yield* settle
      assert.include(source.running(), "team-a-notes", "one lease is left")
      yield* Scope.close(second, Exit.void)
      yield* settle
      assert.notInclude(source.running(), "team-a-notes")
      assert.deepStrictEqual(yield* store.heldKeys("team-a-notes"), [["n"]])
      yield* TestClock.adjust("11 seconds")
      assert.deepStrictEqual(yield* store.heldKeys("team-a-notes"), [])
    }).pipe(Effect.provide(engineLayer(memory))),
  )

  it.effect("evicts what is only kept, not what is desired; demanded again, it is fetched again", () =>
    Effect.gen(function* () {
      const { engine, source, store } = yield* liveWithTwoTeams
      const lease = { node: "notes", bindings: { team_id: "a" } }
      const notes = snapshot("h-notes", insert("notes", { id: "n", team_id: "a" }))
      const held = yield* Scope.make()
      yield* engine.acquire(lease).pipe(Effect.provideService(Scope.Scope, held))
      yield* settle
      yield* source.push("team-a-notes", notes)
      yield* settle
      assert.isFalse(yield* engine.evict("team-a-notes"), "somebody holds a lease")
      assert.isFalse(yield* engine.evict("team-a"), "its owner's rows demand it")
      assert.isFalse(yield* engine.evict("nobody-knows"))
      yield* Scope.close(held, Exit.void)
      yield* settle
      assert.isTrue(yield* engine.evict("team-a-notes"))
      yield* settle
      assert.deepStrictEqual(yield* store.heldKeys("team-a-notes"), [])
      assert.isFalse(yield* engine.evict("team-a-notes"), "there is nothing left to give up")
      assert.deepStrictEqual(yield* store.heldKeys("team-a"), [["a"]])
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* engine.acquire(lease)
          yield* settle
          yield* source.push("team-a-notes", notes)
          yield* settle
          assert.deepStrictEqual(yield* store.heldKeys("team-a-notes"), [["n"]])
          assert.deepStrictEqual(source.resumes("team-a-notes"), [null, null])
        }),
      )
    }).pipe(Effect.provide(engineLayer(memory))),
  )

  it.effect("never shows Live before the commit, nor after a pause until it is checked again (I4, I7)", () =>
    Effect.gen(function* () {
      const { engine, source } = yield* liveWithTwoTeams
      yield* engine.pause("manual")
      yield* settle
      assert.deepStrictEqual(source.running(), [])
      assert.strictEqual(yield* stateOf(mine), "Paused")
      yield* engine.pause("hidden")
      yield* engine.resume("manual")
      yield* settle
      assert.deepStrictEqual(source.running(), [], "another reason still holds")
      yield* engine.resume("hidden")
      yield* settle
      assert.strictEqual(yield* stateOf(mine), "Syncing")
      assert.strictEqual(yield* rollup, "stale")
      assert.deepStrictEqual(source.resumes(mine), [null, { handle: "h-mine", offset: "0_0" }])
    }).pipe(Effect.provide(engineLayer(memory))),
  )

  it.effect("leaves no run when its scope closes (I10)", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(engineLayer(memory), scope)
      const { source } = yield* liveWithTwoTeams.pipe(Effect.provideContext(context))
      assert.strictEqual(source.running().length, 5)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(source.running(), [])
    }),
  )

  it.effect("explains why an instance is here and what it waits for", () =>
    Effect.gen(function* () {
      const { engine } = yield* liveWithTwoTeams
      const explanation = yield* engine.explain("team-a-seats")
      assert.deepStrictEqual(explanation.why, ["Rows held by team-a demand it."])
      assert.strictEqual(explanation.waitingFor, null)
      assert.strictEqual((yield* engine.explain("team-z")).desired, false)
      assert.isAbove((yield* engine.journal).length, 10)
    }).pipe(Effect.provide(engineLayer(memory))),
  )

  it.effect("writes nothing for an up-to-date that brings nothing new, more often than once a minute", () =>
    Effect.gen(function* () {
      const { source } = yield* liveWithTwoTeams
      const controls = yield* MemoryLocalStore
      yield* controls.failNext("commit", "unavailable")
      for (let poll = 0; poll < 3; poll++) {
        yield* source.push(mine, batch({ handle: "h-mine", offset: "0_0" }))
        yield* pass(10)
      }
      assert.strictEqual(yield* stateOf(mine), "Live", "the failing store was not asked")
      yield* pass(31)
      yield* source.push(mine, batch({ handle: "h-mine", offset: "0_0" }))
      yield* settle
      assert.strictEqual(yield* stateOf(mine), "Backoff", "this one was to be written")
    }).pipe(Effect.provide(engineLayer(memory))),
  )

  it.effect("backs off when the store fails, and commits the same rows afterwards", () =>
    Effect.gen(function* () {
      const { source } = yield* liveWithTwoTeams
      const controls = yield* MemoryLocalStore
      yield* controls.failNext("commit", "unavailable")
      yield* source.push(
        "team-a-seats",
        batch({ handle: "h-seats-a", offset: "9_0", messages: [seatIn("n", "a", 9)] }),
      )
      yield* settle
      assert.strictEqual(yield* stateOf("team-a-seats"), "Backoff")
      yield* pass(3)
      assert.deepStrictEqual(source.resumes("team-a-seats").at(-1), { handle: "h-seats-a", offset: "0_0" })
      yield* source.push(
        "team-a-seats",
        batch({ handle: "h-seats-a", offset: "9_0", messages: [seatIn("n", "a", 9)] }),
      )
      yield* settle
      assert.deepStrictEqual(yield* held("team-a-seats"), [["n"], ["s1"], ["x-a"]])
    }).pipe(Effect.provide(engineLayer(memory))),
  )

  it.effect("wipes everything and stays stopped", () =>
    Effect.gen(function* () {
      const { engine, source, store } = yield* liveWithTwoTeams
      yield* engine.wipe
      yield* settle
      assert.deepStrictEqual(source.running(), [])
      assert.deepStrictEqual(yield* store.instances, [])
      assert.strictEqual((yield* engine.status).state, "idle")
    }).pipe(Effect.provide(engineLayer(memory))),
  )
})

/** The scripted source keeps its own promises; the ones every source keeps are in the contract suite. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { ScriptedShapeSource } from "../src/adapters/memory/ScriptedShapeSource.ts"
import { ShapeSource } from "../src/ports/ShapeSource.ts"
import type { SourceEvent } from "../src/ports/ShapeSource.ts"
import type { Instance } from "../src/protocol/Shape.ts"
import { Network } from "../src/protocol/ShapeError.ts"
import { batch, insert } from "../src/testing/messages.ts"

const instance = (key: string): Instance => ({
  key,
  node: "items",
  table: "items",
  bindings: {},
  clientParams: {},
  definition: { table: "items", params: {}, columns: ["id"], replica: "default", log: "full" },
  hash: "0".repeat(32),
  tagged: false,
  priority: 0,
})

const start = (key: string, seen: Array<SourceEvent> = []) =>
  Effect.gen(function* () {
    const source = yield* ShapeSource
    const fiber = yield* source.changes(instance(key), null).pipe(
      Stream.runForEach((event) => Effect.sync(() => void seen.push(event))),
      Effect.forkChild,
    )
    yield* Effect.yieldNow
    return fiber
  })

const settle = Effect.gen(function* () {
  for (let turn = 0; turn < 10; turn += 1) yield* Effect.yieldNow
})

describe("ScriptedShapeSource", () => {
  it.effect("delivers what is pushed to a run, and keeps what is pushed before one", () =>
    Effect.gen(function* () {
      const script = yield* ScriptedShapeSource
      const seen: Array<SourceEvent> = []
      yield* script.push(
        "a",
        batch({ offset: "0_0", messages: [insert("items", { id: "1" })], upToDate: false }),
      )
      yield* start("a", seen)
      yield* script.upToDate("a")
      yield* settle
      assert.deepStrictEqual(
        seen.map((event) => (event._tag === "Batch" ? event.checkpoint.offset : event._tag)),
        ["0_0", "1_0"],
      )
      assert.deepStrictEqual(script.running(), ["a"])
    }).pipe(Effect.provide(ScriptedShapeSource.layer)),
  )

  it.effect("runs the start script of each run, told which run it is and where it resumes", () =>
    Effect.gen(function* () {
      const script = yield* ScriptedShapeSource
      yield* script.onStart("a", ({ run }) =>
        run === 1
          ? [{ _tag: "Fail", reason: new Network({ message: "refused" }) }]
          : [batch({ offset: "5_0" }), { _tag: "End" }],
      )
      const seen: Array<SourceEvent> = []
      const error = yield* Effect.flip(Fiber.join(yield* start("a", seen)))
      assert.strictEqual(error.reason._tag, "Network")
      yield* Fiber.join(yield* start("a", seen))
      assert.deepStrictEqual(
        script.runs("a").map((run) => run.state),
        ["failed", "ended"],
      )
      assert.deepStrictEqual(script.resumes("a"), [null, null])
      assert.strictEqual(seen.length, 1)
    }).pipe(Effect.provide(ScriptedShapeSource.layer)),
  )

  it.effect("delivers nothing while it hangs and goes on after release", () =>
    Effect.gen(function* () {
      const script = yield* ScriptedShapeSource
      const seen: Array<SourceEvent> = []
      yield* start("a", seen)
      yield* script.hang("a")
      yield* script.upToDate("a")
      yield* settle
      assert.strictEqual(seen.length, 0)
      assert.strictEqual(script.runs("a")[0]?.pending, 1)
      yield* script.release("a")
      yield* settle
      assert.strictEqual(seen.length, 1)
    }).pipe(Effect.provide(ScriptedShapeSource.layer)),
  )

  it.effect("marks an interrupted run, and gives the next one a run of its own", () =>
    Effect.gen(function* () {
      const script = yield* ScriptedShapeSource
      const first = yield* start("a")
      yield* Fiber.interrupt(first)
      assert.deepStrictEqual(script.running(), [])
      const seen: Array<SourceEvent> = []
      yield* script.mustRefetch("a")
      yield* script.upToDate("a")
      yield* start("a", seen)
      yield* settle
      assert.deepStrictEqual(
        script.runs("a").map((run) => run.state),
        ["interrupted", "running"],
      )
      assert.deepStrictEqual(
        seen.map((event) => (event._tag === "Batch" ? event.checkpoint.handle : event._tag)),
        ["MustRefetch", "a-2"],
      )
    }).pipe(Effect.provide(ScriptedShapeSource.layer)),
  )

  it.effect("starts keys without a script of their own from the common one", () =>
    Effect.gen(function* () {
      const script = yield* ScriptedShapeSource
      yield* script.onAnyStart(({ instance: { key } }) => [batch({ handle: `${key}-h`, offset: "0_inf" })])
      const seen: Array<SourceEvent> = []
      yield* start("b", seen)
      yield* settle
      assert.strictEqual(seen[0]?._tag === "Batch" ? seen[0].checkpoint.handle : "", "b-h")
    }).pipe(Effect.provide(ScriptedShapeSource.layer)),
  )
})

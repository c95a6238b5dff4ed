/** The scripted source and the Electric source keep the same promises. */
import { describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import * as ElectricShapeSource from "../src/adapters/electric/ElectricShapeSource.ts"
import { ScriptedShapeSource } from "../src/adapters/memory/ScriptedShapeSource.ts"
import { ShapeSource } from "../src/ports/ShapeSource.ts"
import { Overloaded } from "../src/protocol/ShapeError.ts"
import { shapeSourceContract, type ShapeSourceHarness } from "../src/testing/shapeSourceContract.ts"
import { ScriptedElectric } from "./support/scriptedElectric.ts"

const scriptedHarness = Effect.gen(function* () {
  const services = yield* Layer.build(ScriptedShapeSource.layer)
  const script = Context.get(services, ScriptedShapeSource)
  const harness: ShapeSourceHarness = {
    source: Context.get(services, ShapeSource),
    serve: (key, chunks) => script.onStart(key, chunks),
    append: (key, chunk) => script.push(key, chunk),
    rotate: (key, chunks) => Effect.andThen(script.mustRefetch(key), script.push(key, ...chunks)),
    overload: (key) =>
      script.fail(key, new Overloaded({ status: 503, retryAfterMillis: 7000, message: "too many requests" })),
    resumes: script.resumes,
    sent: (key) => script.runs(key).reduce((sum, run) => sum + run.delivered, 0),
    open: (key) => script.runs(key).filter((run) => run.state === "running").length,
    pause: Effect.repeat(Effect.yieldNow, { times: 10 }),
  }
  return harness
})

const electricHarness = (kind: "electric" | "gateway") =>
  Effect.gen(function* () {
    const electric = yield* ScriptedElectric.start
    const services = yield* Layer.build(ElectricShapeSource.layer({ url: electric.url, kind }))
    const starts = (key: string) =>
      electric.requests(key).filter((url) => url.searchParams.get("live") === null)
    const harness: ShapeSourceHarness = {
      source: Context.get(services, ShapeSource),
      serve: (key, chunks) =>
        Effect.sync(() => electric.serve(key, chunks[0]?.checkpoint.handle ?? "h", chunks)),
      append: (key, chunk) => Effect.sync(() => electric.append(key, chunk)),
      rotate: (key, chunks) =>
        Effect.sync(() => electric.serve(key, chunks[0]?.checkpoint.handle ?? "h", chunks)),
      overload: (key) =>
        Effect.sync(() =>
          electric.fault(key, { status: 503, headers: { "retry-after": "7" }, body: '{"message":"busy"}' }),
        ),
      resumes: (key) =>
        starts(key)
          .slice(0, 1)
          .map((url) => {
            const offset = url.searchParams.get("offset") ?? ""
            return offset === "-1" ? null : { handle: url.searchParams.get("handle") ?? "", offset }
          }),
      sent: (key) => electric.sent.get(key) ?? 0,
      open: electric.open.bind(electric),
      pause: Effect.sleep(10),
    }
    return harness
  })

describe("ScriptedShapeSource", () => {
  for (const { name, run } of shapeSourceContract) {
    it.effect(name, () => Effect.flatMap(scriptedHarness, run))
  }
})

for (const kind of ["electric", "gateway"] as const) {
  describe(`ElectricShapeSource towards ${kind}`, () => {
    for (const { name, run } of shapeSourceContract) {
      it.live(name, () => Effect.scoped(Effect.flatMap(electricHarness(kind), run)))
    }
  })
}

/** Ending many runs at once over the real Electric source: a connection that one of them gives back is not handed to the next. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { startPolling } from "../support/pollingWorld.ts"

describe("Ending many runs", () => {
  it.live("closing the engine begins no request, although nearly all instances waited for a connection", () =>
    Effect.gen(function* () {
      const scope = Scope.makeUnsafe()
      const { server } = yield* startPolling(scope)
      const before = server.asked()
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(server.asked() - before, 0)
      assert.strictEqual(server.open(), 0)
    }),
  )

  it.live("a pause begins no request either, and the resumption uses every connection again", () =>
    Effect.gen(function* () {
      const { engine, server } = yield* startPolling(yield* Scope.Scope)
      const before = server.asked()
      yield* engine.pause("manual")
      while (server.open() > 0) yield* Effect.sleep(5)
      yield* Effect.sleep(50)
      assert.strictEqual(server.asked() - before, 0)
      yield* engine.resume("manual")
      while ((yield* engine.status).connections.open < 4) yield* Effect.sleep(5)
    }),
  )
})

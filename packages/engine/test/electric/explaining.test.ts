/** What `explain` says while the origin's gates hold an instance back: which gate, and when it opens. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Engine } from "../../src/Engine.ts"
import { companies, startPolling } from "../support/pollingWorld.ts"

const keys = Array.from({ length: companies }, (_, index) => `company-c${index}`)

const waitsOf = (engine: Engine["Service"]) =>
  Effect.forEach(keys, (key) => Effect.map(engine.explain(key), ({ waitingFor }) => waitingFor ?? "nothing"))

/** Until some instance waits for something that reads like this; the number in it, if it names one. */
const eventually = (engine: Engine["Service"], pattern: RegExp) =>
  Effect.gen(function* () {
    for (let turn = 0; turn < 500; turn += 1) {
      for (const wait of yield* waitsOf(engine)) {
        const found = pattern.exec(wait)
        if (found !== null) return Number(found[1])
      }
      yield* Effect.sleep(10)
    }
    return assert.fail(`nobody waits for ${pattern}: ${(yield* waitsOf(engine)).join("; ")}`)
  })

describe("explain", () => {
  it.live("names the connection that a live instance waits for, and nothing for those that hold one", () =>
    Effect.gen(function* () {
      const { engine } = yield* startPolling(yield* Effect.scope)
      const { instances } = yield* engine.status
      for (const key of keys) {
        const { waitingFor } = yield* engine.explain(key)
        if (instances[key]?.slot === true) continue
        assert.match(waitingFor ?? "nothing", /^a connection: \d+ wait for one of 4/)
      }
      assert.isAtLeast((yield* waitsOf(engine)).filter((wait) => wait === "nothing").length, 3)
    }),
  )

  it.live("names the server's Retry-After and the time it ends", () =>
    Effect.gen(function* () {
      const { engine, server } = yield* startPolling(yield* Effect.scope)
      const before = Date.now()
      server.fall(() =>
        Promise.resolve(new Response("busy", { status: 503, headers: { "retry-after": "30" } })),
      )
      const until = yield* eventually(engine, /asked everybody for patience \(Retry-After\) until (\d+)$/)
      assert.isAtLeast(until, before + 30_000)
      assert.isAtMost(until, Date.now() + 30_001)
    }),
  )

  it.live("names the breaker of a server that fails, and when it is asked again", () =>
    Effect.gen(function* () {
      const { engine, server } = yield* startPolling(yield* Effect.scope)
      server.fall(() => Promise.reject(new TypeError("fetch failed")))
      const until = yield* eventually(engine, /failed several times in a row: it is left alone until (\d+)$/)
      assert.isAtLeast(until, Date.now() - 10)
    }),
  )
})

/** Credentials on a virtual clock: one refresh for everybody, refusals that cost no request, and no refresh in a hurry. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schema, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { makeCredentials, minRefreshMillis, noCredentials } from "../../src/ports/Credentials.ts"
import { Network, Unauthorised } from "../../src/protocol/ShapeError.ts"

const token = (value: string) => ({ headers: { authorization: value } })
const settle = Effect.repeat(Effect.yieldNow, { times: 30 })

/** Credentials whose refresh takes 100 ms and counts itself. */
const counting = (outcome: (refresh: number) => Effect.Effect<{ headers: Record<string, string> }, never>) =>
  Effect.gen(function* () {
    const counts = { refreshes: 0 }
    const credentials = yield* makeCredentials({
      initial: token("old"),
      refresh: Effect.suspend(() => {
        counts.refreshes += 1
        return Effect.delay(outcome(counts.refreshes), "100 millis")
      }),
    })
    return { counts, credentials }
  })

describe("Credentials", () => {
  it.effect.prop(
    "refreshes once for however many instances meet a 401, whenever some of them give up (I16)",
    { giveUp: Schema.Array(Schema.Boolean) },
    ({ giveUp }) =>
      Effect.gen(function* () {
        const { counts, credentials } = yield* counting((count) => Effect.succeed(token(`new ${count}`)))
        const used = yield* credentials.current
        const fibers = yield* Effect.forEach(giveUp, () => Effect.forkChild(credentials.renew(used)))
        yield* settle
        yield* Effect.forEach(
          fibers.filter((_, index) => giveUp[index]),
          Fiber.interrupt,
        )
        const waiting = yield* Effect.forkChild(credentials.current)
        yield* TestClock.adjust("200 millis")
        for (const fiber of fibers.filter((_, index) => !giveUp[index]))
          assert.isTrue(yield* Fiber.join(fiber))
        assert.strictEqual(counts.refreshes, giveUp.length === 0 ? 0 : 1)
        const expected = giveUp.length === 0 ? "old" : "new 1"
        assert.strictEqual((yield* Fiber.join(waiting)).headers?.["authorization"], expected)
        // A 401 that comes late, for the credentials of before, needs no refresh.
        if (giveUp.length > 0) assert.isTrue(yield* credentials.renew(used))
        assert.isAtMost(counts.refreshes, 1)
      }),
  )

  it.effect(
    "refuses at once after a refresh that brought nothing, until they are set or somebody retries",
    () =>
      Effect.gen(function* () {
        let signedIn = false
        const credentials = yield* makeCredentials({
          initial: token("old"),
          refresh: () => Promise.resolve(signedIn ? token("again") : null),
        })
        const used = yield* credentials.current
        const error = yield* Effect.flip(credentials.renew(used))
        assert.strictEqual(error._tag, "Unauthorised")
        assert.strictEqual((yield* Effect.flip(credentials.current)).message, error.message)
        yield* credentials.set(token("set"))
        const set = yield* credentials.current
        assert.deepStrictEqual(set.headers, { authorization: "set" })
        yield* credentials.refuse(set)
        assert.strictEqual((yield* Effect.flip(credentials.current))._tag, "Unauthorised")
        signedIn = true
        yield* credentials.reopen
        const renewed = yield* Effect.forkChild(credentials.renew(yield* credentials.current))
        yield* TestClock.adjust(minRefreshMillis)
        yield* Fiber.join(renewed)
        assert.deepStrictEqual((yield* credentials.current).headers, { authorization: "again" })
      }),
  )

  it.effect("keeps to one refresh a second, also when each fails", () =>
    Effect.gen(function* () {
      const at: Array<number> = []
      const credentials = yield* makeCredentials({
        initial: token("old"),
        refresh: Effect.flatMap(
          Effect.clockWith((clock) => clock.currentTimeMillis),
          (now) => {
            at.push(now)
            return Effect.fail(new Network({ message: "the sign-in server is away" }))
          },
        ),
      })
      const used = yield* credentials.current
      const fiber = yield* Effect.forkChild(Effect.forever(Effect.ignore(credentials.renew(used))))
      for (let step = 0; step < 50; step += 1) {
        yield* TestClock.adjust("100 millis")
        yield* settle
      }
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(at, [0, 1_000, 2_000, 3_000, 4_000, 5_000])
    }),
  )

  it.effect("gives up a refresh that hangs, as a failure that waiting can clear", () =>
    Effect.gen(function* () {
      const credentials = yield* makeCredentials({ refresh: Effect.never })
      const first = yield* Effect.forkChild(Effect.flip(credentials.current))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* Fiber.join(first))._tag, "Network")
    }),
  )

  it.effect("tells of each issue and leaves no refresh behind when its scope closes", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      let ended = false
      const credentials = yield* makeCredentials({
        initial: token("old"),
        refresh: Effect.onInterrupt(Effect.never, () => Effect.sync(() => void (ended = true))),
      }).pipe(Effect.provideService(Scope.Scope, scope))
      const heard = yield* Effect.forkChild(credentials.changes.pipe(Stream.take(3), Stream.runCollect))
      yield* settle
      yield* credentials.set(token("a"))
      yield* settle
      yield* credentials.reopen
      assert.strictEqual((yield* Fiber.join(heard)).length, 3)
      yield* Effect.forkChild(Effect.ignore(credentials.renew(yield* credentials.current)))
      yield* settle
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(ended)
    }),
  )

  it.effect("lets a 401 stand when there are none", () =>
    Effect.gen(function* () {
      assert.isFalse(yield* noCredentials.renew(yield* noCredentials.current))
      assert.strictEqual((yield* noCredentials.current).headers, undefined)
      const fixed = yield* makeCredentials({ initial: token("fixed") })
      assert.isFalse(yield* fixed.renew(yield* fixed.current))
      assert.instanceOf(yield* Effect.flip(fixed.current), Unauthorised)
    }),
  )
})

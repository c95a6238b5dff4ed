/**
 * Every failure on this side of the wire, as a row of `localFailures`, and every pause: on a scripted source, the memory store and
 * a virtual clock. Each names the state it leads to, what happens next, and that no row was lost.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import {
  Credentials,
  defaultEngineConfig,
  Engine,
  EngineConfig,
  type EngineConfigShape,
  HostSignals,
  makeCredentials,
  ShapeSource,
} from "@espalier/engine"
import {
  Forbidden,
  localFailures,
  Network,
  Overloaded,
  ShapeRejected,
  Unauthorised,
  type PauseReason,
} from "@espalier/engine/protocol"
import type { InstanceStatus } from "../../src/protocol/InstanceStatus.ts"
import {
  batch,
  insert,
  MemoryLocalStore,
  scriptedHost,
  ScriptedShapeSource,
  snapshotEnd,
  update,
} from "@espalier/engine/testing"
import { engineLayer, graph, memory, mine, pass, seatIn, seatOut, seatsSnapshot, settle } from "./support.ts"

const stateOf = (key: string) =>
  Effect.map(
    Engine.use((engine) => engine.status),
    ({ instances }) => instances[key]?.state,
  )
const reasonOf = (key: string) =>
  Effect.map(
    Engine.use((engine) => engine.status),
    ({ instances }) => instances[key]?.error?.reason ?? null,
  )
const rows = Effect.map(
  MemoryLocalStore.use((store) => store.rows("seats")),
  (found) => found.map((row) => row["id"]),
)

/** One live instance with two seats; the owner's teams hang unanswered below it. */
const liveSeats = Effect.gen(function* () {
  const source = yield* ScriptedShapeSource
  const engine = yield* Engine
  yield* settle
  yield* source.push(mine, seatsSnapshot("h", ["s1", "a"], ["s2", "b"]))
  yield* settle
  assert.strictEqual(yield* stateOf(mine), "Live")
  return { source, engine }
})

const more = (id: string, lsn: number) =>
  batch({ handle: "h", offset: `${lsn}_0`, messages: [seatIn(id, "a", lsn)] })

interface Scenario {
  readonly config?: Partial<EngineConfigShape>
  /** Makes it happen; a row "s3" is on its way in every case. */
  readonly happens: Effect.Effect<void, never, ScriptedShapeSource | MemoryLocalStore>
  /** How long until it shows. Default: at once. */
  readonly seconds?: number
  /** Clears it, and lets the row come. */
  readonly clears: Effect.Effect<unknown, never, ScriptedShapeSource | Engine>
}

const script = <A>(use: (source: ScriptedShapeSource["Service"]) => Effect.Effect<A>) =>
  Effect.asVoid(ScriptedShapeSource.use(use))
const after = (seconds: number) =>
  Effect.andThen(
    pass(seconds),
    script((source) => source.push(mine, more("s3", 9))),
  )
const snapshotAgain = script((source) =>
  source.push(mine, seatsSnapshot("h2", ["s1", "a"], ["s2", "b"], ["s3", "a"])),
)
const unknownRow = script((source) =>
  source.push(
    mine,
    batch({ handle: "h", offset: "8_0", messages: [update("seats", { id: "nobody" }, { lsn: 8 })] }),
  ),
)

const scenarios: Record<keyof typeof localFailures, Scenario> = {
  stuck: {
    config: { stuckRunMillis: 30_000, clockJumpMillis: 5_000 },
    happens: script((source) => source.push(mine, { _tag: "Signal", signal: "slot-gained" })),
    seconds: 36,
    clears: after(1),
  },
  ended: { happens: script((source) => source.end(mine)), clears: after(1) },
  overflow: {
    config: { maxBufferedMessages: 2 },
    happens: script((source) =>
      source.push(
        mine,
        batch({
          handle: "h",
          offset: "5_0",
          messages: [3, 4, 5].map((lsn) => seatIn(`t${lsn}`, "a", lsn)),
          upToDate: false,
        }),
      ),
    ),
    clears: after(1),
  },
  "unknown-row": { happens: unknownRow, clears: snapshotAgain },
  "unknown-row-repeated": {
    happens: Effect.gen(function* () {
      yield* unknownRow
      yield* settle
      yield* script((source) => source.push(mine, seatsSnapshot("h", ["s1", "a"], ["s2", "b"])))
      yield* settle
      yield* unknownRow
    }),
    clears: Effect.andThen(pass(2), snapshotAgain),
  },
  row: {
    happens: script((source) =>
      source.push(
        mine,
        batch({
          handle: "h",
          offset: "8_0",
          messages: [insert("seats", { id: null as never, team_id: "a" }, { lsn: 8 })],
        }),
      ),
    ),
    clears: Effect.andThen(
      Engine.use((engine) => engine.retry(mine)),
      after(1),
    ),
  },
  store: {
    happens: Effect.gen(function* () {
      yield* MemoryLocalStore.use((store) => store.failNext("commit", "unavailable"))
      yield* script((source) => source.push(mine, more("s3", 9)))
    }),
    clears: after(1),
  },
  quota: {
    happens: Effect.gen(function* () {
      yield* MemoryLocalStore.use((store) => store.failNext("commit", "quota"))
      yield* script((source) => source.push(mine, more("s3", 9)))
    }),
    clears: after(61),
  },
}

describe("A failure on this side of the wire", () => {
  for (const [id, scenario] of Object.entries(scenarios) as Array<[keyof typeof scenarios, Scenario]>) {
    const row = localFailures[id]
    it.effect(`leads to ${row.state} on ${row.failure}, then ${row.next}`, () =>
      Effect.gen(function* () {
        yield* liveSeats
        yield* scenario.happens
        yield* scenario.seconds === undefined ? settle : pass(scenario.seconds)
        const journal = yield* Engine.use((engine) => engine.journal)
        const reached = journal.filter(
          ({ detail, event, key }) => event === "state" && key === mine && detail.includes(`→ ${row.state} `),
        )
        assert.isNotEmpty(reached, `it never is ${row.state}`)
        if (row.reason !== null)
          assert.match(
            journal.find(({ event, key }) => event === "failed" && key === mine)?.detail ?? "",
            new RegExp(`^${row.reason}: `),
          )
        assert.includeMembers([...(yield* rows)], ["s1", "s2"])
        yield* scenario.clears
        yield* pass(1)
        assert.deepStrictEqual(yield* rows, ["s1", "s2", "s3"])
        assert.strictEqual(yield* stateOf(mine), "Live")
      }).pipe(
        Effect.provide(engineLayer(memory, scenario.config === undefined ? {} : { config: scenario.config })),
      ),
    )
  }

  it.effect("paces refetches of a server whose log and snapshot never agree (I5, I6)", () =>
    Effect.gen(function* () {
      const { source } = yield* liveSeats
      const at: Array<number> = []
      yield* source.onStart(mine, ({ run }) => {
        at.push(run)
        return [
          seatsSnapshot(`h${run}`, ["s1", "a"], ["s2", "b"]),
          batch({
            handle: `h${run}`,
            offset: "8_0",
            messages: [update("seats", { id: "nobody" }, { lsn: 8 })],
          }),
        ]
      })
      yield* unknownRow
      yield* pass(30)
      // Full jitter up to 15 s: tens of refetches in half a minute would be a loop, none would be a stop.
      assert.isAtMost(at.length, 20)
      assert.isAtLeast(at.length, 3)
    }).pipe(Effect.provide(engineLayer(memory))),
  )
})

describe("A server that comes back", () => {
  it.effect("is asked at once by what waited for it, but never before its own floor (I5)", () =>
    Effect.gen(function* () {
      const { engine, source } = yield* liveSeats
      // Failures one after the other, so that the next wait could be long.
      const away = new Network({ message: "away" })
      yield* source.onStart("team-a", [{ _tag: "Fail", reason: away }])
      yield* source.fail("team-a", away)
      yield* pass(20)
      const attempt = (yield* engine.status).instances["team-a"]?.attempt ?? 0
      assert.isAtLeast(attempt, 4)
      yield* source.onStart("team-a", [])
      yield* source.fail("team-b", new Overloaded({ status: 503, message: "busy", retryAfterMillis: 20_000 }))
      yield* pass(1)
      const before = source.runs("team-a").length
      const due = (yield* engine.status).instances["team-a"]?.nextAttemptAt ?? null
      yield* source.push(mine, more("s3", 9))
      yield* pass(1)
      // Retried by the answer, or its time had come anyway.
      assert.strictEqual(source.runs("team-a").length, due === null ? before : before + 1)
      assert.strictEqual(yield* stateOf("team-a"), "Initial")
      assert.strictEqual(yield* stateOf("team-b"), "Backoff")
      yield* pass(21)
      assert.strictEqual(yield* stateOf("team-b"), "Initial")
    }).pipe(Effect.provide(engineLayer(memory))),
  )

  it.effect("is asked at its floor by what has failed often, not at the end of a long wait", () =>
    Effect.gen(function* () {
      const { engine, source } = yield* liveSeats
      const busy = new Overloaded({ status: 503, message: "busy", retryAfterMillis: 5_000 })
      yield* source.onStart("team-b", [{ _tag: "Fail", reason: busy }])
      yield* source.fail("team-b", busy)
      const teamB = Effect.map(engine.status, ({ instances }) => instances["team-b"]!)
      const waitOf = ({ nextAttemptAt, since }: InstanceStatus): number => (nextAttemptAt ?? since) - since
      // Until the jitter of a long wait is far above the floor, and the wait has just begun.
      let before = yield* teamB
      for (let turn = 0; turn < 2_000 && waitOf(before) < 10_000; turn += 1) {
        yield* pass(1)
        before = yield* teamB
      }
      assert.isAtLeast(waitOf(before), 10_000)
      yield* source.push(mine, more("s3", 9))
      yield* pass(1)
      const after = yield* teamB
      assert.strictEqual(after.state, "Backoff")
      assert.strictEqual(waitOf(after), 5_000)
    }).pipe(Effect.provide(engineLayer(memory))),
  )
})

describe("Halts and credentials", () => {
  const withCredentials = (use: Parameters<typeof makeCredentials>[0]) =>
    Effect.gen(function* () {
      const credentials = yield* makeCredentials(use)
      const layer = engineLayer(memory).pipe(Layer.provide(Layer.succeed(Credentials, credentials)))
      return { credentials, layer }
    })

  it.effect("reopens what was denied when there are new credentials, also during a pause", () =>
    Effect.gen(function* () {
      const { credentials, layer } = yield* withCredentials({ initial: {} })
      yield* Effect.gen(function* () {
        const { engine, source } = yield* liveSeats
        yield* source.fail("team-a", new Unauthorised({ message: "expired" }))
        yield* source.fail("team-b", new Forbidden({ revoked: false, message: "no" }))
        yield* source.fail(mine, new ShapeRejected({ status: 400, message: "bad" }))
        yield* settle
        yield* engine.pause("manual")
        yield* settle
        yield* credentials.set({ headers: { authorization: "new" } })
        yield* settle
        yield* engine.resume("manual")
        yield* settle
        assert.strictEqual(yield* stateOf("team-a"), "Pending")
        assert.strictEqual(yield* stateOf("team-b"), "Pending")
        // Credentials say nothing about a refused shape.
        assert.strictEqual(yield* stateOf(mine), "Halted")
        assert.strictEqual(yield* reasonOf(mine), "ShapeRejected")
      }).pipe(Effect.provide(layer))
    }),
  )

  it.effect("reopens everything halted for its credentials when one of them is retried", () =>
    Effect.gen(function* () {
      const { credentials, layer } = yield* withCredentials({ initial: {} })
      yield* Effect.gen(function* () {
        const { engine, source } = yield* liveSeats
        for (const key of ["team-a", "team-b"])
          yield* source.fail(key, new Unauthorised({ message: "expired" }))
        yield* credentials.refuse(yield* credentials.current)
        yield* settle
        assert.deepStrictEqual([yield* stateOf("team-a"), yield* stateOf("team-b")], ["Halted", "Halted"])
        yield* engine.retry("team-a")
        yield* pass(1)
        assert.deepStrictEqual([yield* stateOf("team-a"), yield* stateOf("team-b")], ["Initial", "Initial"])
        assert.deepStrictEqual((yield* credentials.current).headers, undefined)
      }).pipe(Effect.provide(layer))
    }),
  )
})

describe("Pauses", () => {
  const pauses = Effect.map(
    Engine.use((engine) => engine.status),
    ({ pauseReasons }) => pauseReasons,
  )

  it.effect("pauses only after the app was hidden for a while, and goes on at once when it is seen", () =>
    Effect.gen(function* () {
      const host = yield* scriptedHost
      yield* Effect.gen(function* () {
        const { source } = yield* liveSeats
        yield* host.set({ online: true, visible: false })
        yield* pass(50)
        assert.deepStrictEqual(yield* pauses, [])
        yield* host.set({ online: true, visible: true })
        yield* pass(30)
        yield* host.set({ online: true, visible: false })
        yield* pass(59)
        assert.deepStrictEqual(yield* pauses, [])
        yield* pass(2)
        assert.deepStrictEqual(yield* pauses, ["hidden"])
        assert.deepStrictEqual(source.running(), [])
        yield* host.set({ online: false, visible: false })
        yield* settle
        yield* host.set({ online: false, visible: true })
        yield* settle
        assert.deepStrictEqual(yield* pauses, ["offline"])
        yield* host.set({ online: true, visible: true })
        yield* settle
        assert.deepStrictEqual(yield* pauses, [])
        assert.include(source.running(), mine)
      }).pipe(Effect.provide(engineLayer(memory, { signals: host.signals })))
    }),
  )

  it.effect(
    "holds everything for each of its named reasons, and no run is left while it does (I7, I10)",
    () =>
      Effect.gen(function* () {
        const { engine, source } = yield* liveSeats
        for (const reason of [
          "offline",
          "hidden",
          "auth",
          "manual",
          "storage",
        ] as const satisfies ReadonlyArray<PauseReason>) {
          yield* engine.pause(reason)
          yield* engine.pause(reason)
          yield* settle
          assert.deepStrictEqual([yield* stateOf(mine), source.running()], ["Paused", []])
          yield* engine.resume(reason)
          yield* settle
          assert.deepStrictEqual(yield* pauses, [reason])
          yield* engine.resume(reason)
          yield* settle
          yield* source.push(mine, more("s1", 9))
          yield* settle
          assert.strictEqual(yield* stateOf(mine), "Live")
        }
      }).pipe(Effect.provide(engineLayer(memory))),
  )

  it.effect("tries a full disk again when somebody asks, before its time", () =>
    Effect.gen(function* () {
      const { engine, source } = yield* liveSeats
      yield* MemoryLocalStore.use((store) => store.failNext("commit", "quota"))
      yield* source.push(mine, more("s3", 9))
      yield* settle
      assert.deepStrictEqual(yield* pauses, ["storage"])
      yield* engine.retry(mine)
      yield* pass(1)
      assert.deepStrictEqual(yield* pauses, [])
    }).pipe(Effect.provide(engineLayer(memory))),
  )
})

describe("Precedence", () => {
  it.effect("tells the source whom somebody looks at, with the owners above, and takes it back", () =>
    Effect.gen(function* () {
      const preferred = new Set<string>()
      const spied = Layer.effect(
        ShapeSource,
        Effect.map(ShapeSource, (source) =>
          ShapeSource.of({
            ...source,
            prefer: (key, leased) => void (leased ? preferred.add(key) : preferred.delete(key)),
          }),
        ),
      )
      const host = yield* scriptedHost
      const layer = Engine.layer({ graph, params: { userId: "u" } }).pipe(
        Layer.provideMerge(memory),
        Layer.provide(spied),
        Layer.provideMerge(ScriptedShapeSource.layer),
        Layer.provide(Layer.succeed(HostSignals, host.signals)),
        Layer.provide(Layer.succeed(EngineConfig, defaultEngineConfig)),
      )
      yield* Effect.gen(function* () {
        const { engine, source } = yield* liveSeats
        for (const id of ["a", "b"])
          yield* source.push(
            `team-${id}`,
            batch({
              handle: id,
              offset: "0_0",
              messages: [insert("teams", { id, name: id }), snapshotEnd()],
            }),
          )
        yield* settle
        assert.deepStrictEqual([...preferred], [])
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* engine.acquire({ node: "notes", bindings: { team_id: "a" } })
            yield* settle
            assert.deepStrictEqual([...preferred].toSorted(), ["team-a", "team-a-notes", mine].toSorted())
            yield* host.set({ online: true, visible: false })
            yield* settle
            assert.deepStrictEqual([...preferred], [])
            yield* host.set({ online: true, visible: true })
            yield* settle
            assert.strictEqual(preferred.size, 3)
            // The instance goes with its binding, and the precedence with the instance.
            yield* source.push(mine, batch({ handle: "h", offset: "9_0", messages: [seatOut("s1", 9)] }))
            yield* pass(1)
            assert.deepStrictEqual([...preferred], [])
            yield* engine.acquire({ node: "teams" })
            yield* settle
            assert.deepStrictEqual([...preferred].toSorted(), ["team-b", mine].toSorted())
          }),
        )
        yield* settle
        assert.deepStrictEqual([...preferred], [])
      }).pipe(Effect.provide(layer))
    }),
  )
})

/** The Electric source with the real official client over real HTTP: what a server can do to it, and what it makes of that. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Stream, type Scope } from "effect"
import * as ElectricShapeSource from "../../src/adapters/electric/ElectricShapeSource.ts"
import { ClientStream } from "../../src/adapters/electric/ClientStream.ts"
import type { ElectricOptions } from "../../src/adapters/electric/ElectricShapeSource.ts"
import { Credentials, makeCredentials } from "../../src/ports/Credentials.ts"
import { defaultEngineConfig, EngineConfig, type EngineConfigShape } from "../../src/ports/EngineConfig.ts"
import { ShapeSource, type Batch, type SourceEvent } from "../../src/ports/ShapeSource.ts"
import type { Checkpoint } from "../../src/protocol/Checkpoint.ts"
import { Unauthorised, type ShapeError } from "../../src/protocol/ShapeError.ts"
import { batch, insert } from "../../src/testing/messages.ts"
import { contractInstance } from "../../src/testing/shapeSourceContract.ts"
import { countedFetch } from "../support/countedFetch.ts"
import { ScriptedElectric, shapeHeaders, type Fault } from "../support/scriptedElectric.ts"

interface World {
  readonly electric: ScriptedElectric
  readonly source: ShapeSource["Service"]
  /** Most requests the source ever had open at once. */
  readonly maxOpen: () => number
}

const world = (options: Partial<ElectricOptions> = {}, config: Partial<EngineConfigShape> = {}) =>
  Effect.gen(function* () {
    const electric = yield* ScriptedElectric.start
    const { fetch, maxOpen } = countedFetch(options.fetch)
    const services = yield* Layer.build(
      ElectricShapeSource.layer({ url: electric.url, kind: "electric", ...options, fetch }),
    ).pipe(Effect.provideService(EngineConfig, { ...defaultEngineConfig, ...config }))
    return { electric, source: Context.get(services, ShapeSource), maxOpen } satisfies World
  })

const live = (name: string, body: () => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live(name, () => Effect.scoped(body()))

const isBatch = (event: SourceEvent): event is Batch => event._tag === "Batch"
const rows = (handle: string): Batch =>
  batch({ handle, offset: "0_0", messages: [insert("a", { id: "1", name: "one" })], upToDate: false })
const end = (handle: string): Batch => batch({ handle, offset: "0_inf" })
const log = (handle = "h1") => [rows(handle), end(handle)]

const follow = ({ source }: World, key = "a", resume: Checkpoint | null = null, priority = 0) =>
  Effect.gen(function* () {
    const seen: Array<SourceEvent> = []
    const fiber = yield* source.changes(contractInstance(key, priority), resume).pipe(
      Stream.runForEach((event) => Effect.sync(() => void seen.push(event))),
      Effect.forkChild,
    )
    return { seen, fiber }
  })

const eventually = (holds: () => boolean, what: string) =>
  Effect.gen(function* () {
    for (let turn = 0; turn < 500; turn += 1) {
      if (holds()) return
      yield* Effect.sleep(10)
    }
    assert.fail(`never happens: ${what}`)
  })

/** Runs until the stream fails and returns what it failed with and what came before. */
const failureOf = (here: World, resume: Checkpoint | null = null) =>
  Effect.gen(function* () {
    const run = yield* follow(here, "a", resume)
    const error: ShapeError = yield* Effect.flip(Fiber.join(run.fiber))
    return { error, seen: run.seen.filter((event) => event._tag !== "Signal") }
  })

const json = { "content-type": "application/json" }
const ok = (body: string, headers: Record<string, string> = shapeHeaders("h1", "0_0")): Fault => ({
  headers,
  body,
})

describe("ElectricShapeSource", () => {
  live("asks for the start, the next chunk, then polls, and nothing in between", () =>
    Effect.gen(function* () {
      const here = yield* world()
      here.electric.serve("a", "h1", log())
      const run = yield* follow(here)
      yield* eventually(() => here.electric.requests("a").length === 3, "the poll is sent")
      yield* Effect.sleep(50)
      const asked = here.electric.requests("a").map((url) => url.searchParams)
      assert.deepStrictEqual(
        asked.map((query) => [query.get("offset"), query.get("handle"), query.get("live"), query.get("log")]),
        [
          ["-1", null, null, "full"],
          ["0_0", "h1", null, "full"],
          ["0_inf", "h1", "true", "full"],
        ],
      )
      assert.isFalse(asked.some((query) => [...query.keys()].some((name) => name.startsWith("espalier"))))
      yield* Fiber.interrupt(run.fiber)
    }),
  )

  live("writes down each request with its phase, status and size, and no secret", () =>
    Effect.gen(function* () {
      const here = yield* world({ params: { secret: "s3cret" } })
      here.electric.serve("a", "h1", log())
      const run = yield* follow(here)
      yield* eventually(() => here.source.requests?.().length === 3, "the poll is sent")
      const entries = here.source.requests?.() ?? []
      assert.deepStrictEqual(
        entries.map(({ key, phase, status, outcome }) => [key, phase, status, outcome]),
        [
          ["a", "initial", 200, "answered"],
          ["a", "catch-up", 200, "answered"],
          ["a", "live", null, "open"],
        ],
      )
      assert.isAbove(entries[0]?.bytes ?? 0, 0)
      assert.notInclude(JSON.stringify(entries), "s3cret")
      yield* Fiber.interrupt(run.fiber)
      yield* eventually(() => here.source.requests?.()[2]?.outcome === "aborted", "the poll is aborted")
    }),
  )

  live("hands over values untouched, also NULL where the server says not null", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const row = {
        id: "9007199254740993",
        name: null,
        active: "t",
        data: '{"a": 1}',
        at: "2024-01-01 00:00:00+00",
        list: "{1,NULL}",
      }
      here.electric.serve("a", "h1", [
        batch({ handle: "h1", offset: "0_0", messages: [insert("a", row)], upToDate: false }),
        end("h1"),
      ])
      const first = yield* here.source
        .changes(contractInstance("a"), null)
        .pipe(Stream.filter(isBatch), Stream.take(1), Stream.runCollect)
      const message = first[0]?.messages[0]
      assert.deepStrictEqual(message !== undefined && "key" in message ? message.value : null, row)
      assert.isAbove(first[0]?.bytes ?? 0, 100)
    }),
  )

  live("keeps no request open while the consumer is busy with an up-to-date", () =>
    Effect.gen(function* () {
      const here = yield* world()
      here.electric.serve("a", "h1", log())
      let busy = true
      const fiber = yield* here.source.changes(contractInstance("a"), null).pipe(
        Stream.filter((event) => isBatch(event) && event.upToDate),
        Stream.runForEach(() => Effect.sleep(10).pipe(Effect.repeat({ until: () => !busy }))),
        Effect.forkChild,
      )
      yield* eventually(() => here.electric.requests("a").length === 2, "both chunks are fetched")
      yield* Effect.sleep(60)
      assert.strictEqual(here.electric.requests("a").length, 2)
      busy = false
      yield* eventually(() => here.electric.open("a") === 1, "it polls")
      yield* Fiber.interrupt(fiber)
    }),
  )

  live("reads the 204 of old servers as up to date", () =>
    Effect.gen(function* () {
      const here = yield* world()
      here.electric.fault("a", ok("[]"), { status: 204, headers: shapeHeaders("h1", "0_inf") }, "hang")
      const run = yield* follow(here)
      yield* eventually(() => run.seen.some((event) => isBatch(event) && event.upToDate), "it is up to date")
      yield* Fiber.interrupt(run.fiber)
    }),
  )

  live("names the node and bindings to a gateway", () =>
    Effect.gen(function* () {
      const here = yield* world({ kind: "gateway", params: { tenant: "4" } })
      here.electric.serve("a", "h1", log())
      const run = yield* follow(here)
      yield* eventually(() => run.seen.filter(isBatch).length === 2, "it is up to date")
      const query = here.electric.requests("a")[0]?.searchParams
      assert.deepStrictEqual(
        ["node", "b.owner", "def", "tenant", "table", "where"].map((name) => query?.get(name) ?? null),
        ["a", "7", contractInstance("a").hash, "4", null, null],
      )
      yield* Fiber.interrupt(run.fiber)
    }),
  )
})

describe("ElectricShapeSource refetching", () => {
  live("starts again past every cache after a 409, with or without a new handle", () =>
    Effect.gen(function* () {
      const here = yield* world()
      here.electric.serve("a", "h1", log())
      const run = yield* follow(here)
      yield* eventually(() => run.seen.filter(isBatch).length === 2, "the snapshot arrives")
      here.electric.serve("a", "h2", log("h2"))
      yield* eventually(() => run.seen.filter(isBatch).length === 4, "the second snapshot arrives")
      here.electric.fault("a", {
        status: 409,
        headers: json,
        body: '[{"headers":{"control":"must-refetch"}}]',
      })
      here.electric.serve("a", "h3", log("h3"))
      yield* eventually(() => run.seen.filter(isBatch).length === 6, "the third snapshot arrives")
      assert.strictEqual(run.seen.filter((event) => event._tag === "MustRefetch").length, 2)
      const starts = here.electric
        .requests("a")
        .filter((url) => url.searchParams.get("offset") === "-1")
        .map((url) => url.searchParams)
      assert.deepStrictEqual(
        starts.map((query) => [query.get("handle"), query.get("expired_handle"), query.has("cache-buster")]),
        [
          [null, null, false],
          [null, "h1", true],
          [null, "h2", true],
        ],
      )
      assert.notStrictEqual(starts[1]?.get("cache-buster"), starts[2]?.get("cache-buster"))
      yield* Fiber.interrupt(run.fiber)
    }),
  )

  live("leaves no trace of a 409 for the next run of the same shape", () =>
    Effect.gen(function* () {
      const here = yield* world()
      here.electric.serve("a", "h1", log())
      const first = yield* follow(here)
      yield* eventually(() => first.seen.filter(isBatch).length === 2, "the snapshot arrives")
      here.electric.serve("a", "h2", log("h2"))
      yield* eventually(() => first.seen.filter(isBatch).length === 4, "the new snapshot arrives")
      yield* Fiber.interrupt(first.fiber)
      const second = yield* follow(here, "a", { handle: "h2", offset: "0_inf" })
      yield* eventually(
        () => second.seen.some((event) => isBatch(event) && event.upToDate),
        "the second run is up to date",
      )
      const query = here.electric.requests("a").findLast((url) => !url.searchParams.has("live"))?.searchParams
      assert.deepStrictEqual(
        [query?.get("offset"), query?.get("handle"), query?.get("expired_handle")],
        ["0_inf", "h2", null],
      )
      yield* Fiber.interrupt(second.fiber)
    }),
  )

  live("takes a handle that changes without a 409 for a must-refetch", () =>
    Effect.gen(function* () {
      const here = yield* world()
      here.electric.serve("a", "h2", log("h2"))
      here.electric.fault("a", ok(JSON.stringify([insert("a", { id: "9" })]), shapeHeaders("h2", "7_0")))
      const run = yield* follow(here, "a", { handle: "h1", offset: "5_0" })
      yield* eventually(() => run.seen.filter(isBatch).length === 2, "the snapshot arrives")
      const order = run.seen
        .filter((event) => event._tag !== "Signal")
        .map((event) => (isBatch(event) ? event.checkpoint.offset : event._tag))
      assert.deepStrictEqual(order, ["MustRefetch", "0_0", "0_inf"])
      yield* Fiber.interrupt(run.fiber)
    }),
  )

  live("takes an offset that goes back for a must-refetch", () =>
    Effect.gen(function* () {
      const here = yield* world()
      here.electric.serve("a", "h1", log())
      here.electric.fault("a", ok("[]", shapeHeaders("h1", "4_0")))
      const run = yield* follow(here, "a", { handle: "h1", offset: "5_0" })
      yield* eventually(() => run.seen.filter(isBatch).length === 2, "the snapshot arrives")
      assert.strictEqual(run.seen.filter((event) => event._tag === "MustRefetch").length, 1)
      yield* Fiber.interrupt(run.fiber)
    }),
  )

  live("fails after a few voided handles instead of spinning", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const void409: Fault = { status: 409, headers: { ...json, "electric-handle": "h2" }, body: "[]" }
      here.electric.serve("a", "h1", log())
      here.electric.fault("a", ...Array.from({ length: 50 }, () => void409))
      const { error, seen } = yield* failureOf(here, { handle: "h1", offset: "0_inf" })
      assert.strictEqual(error.reason._tag, "ProtocolViolation")
      assert.deepStrictEqual(
        seen.map((event) => event._tag),
        ["MustRefetch", "MustRefetch", "MustRefetch"],
      )
      assert.strictEqual(here.electric.requests("a").length, 4)
    }),
  )

  live("fails when the server does not move on, before the client starts over in silence", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const stuck = ok("[]", shapeHeaders("h1", "0_0"))
      here.electric.fault("a", ...Array.from({ length: 20 }, () => stuck))
      const { error, seen } = yield* failureOf(here)
      assert.strictEqual(error.reason._tag, "ProtocolViolation")
      assert.match(error.reason.message, /does not move on from offset 0_0/)
      assert.deepStrictEqual(seen, [])
      assert.strictEqual(here.electric.requests("a").length, 2)
    }),
  )

  it("knows a reset that the client makes on its own from a start that was asked for", () => {
    const stream = (resume: Checkpoint | null) =>
      new ClientStream({
        url: new URL("http://127.0.0.1/v1/shape"),
        place: { resume, bust: null, poll: null },
        streamId: "s",
        owner: {
          respond: () => Promise.reject(new Error("unused")),
          onBatch: () => Promise.resolve(),
          onViolation: () => undefined,
        },
      })
    const start = { live: false, offset: "-1", handle: null }
    assert.isFalse(stream(null).isUnorderedReset(start))
    assert.isTrue(stream({ handle: "h1", offset: "5_0" }).isUnorderedReset(start))
    const answered = stream(null)
    answered.envelop(
      { _tag: "Body", messages: [], upToDate: false, lastSeenLsn: null, mustRefetch: false },
      2,
      new Headers(),
      false,
    )
    assert.isTrue(answered.isUnorderedReset(start))
  })

  live("paces polls that a server does not hold", () =>
    Effect.gen(function* () {
      const here = yield* world()
      here.electric.serve("a", "h1", log())
      const empty = ok('[{"headers":{"control":"up-to-date"}}]', {
        ...shapeHeaders("h1", "0_inf"),
        "electric-cursor": "5",
      })
      here.electric.fault("a", "pass", "pass", ...Array.from({ length: 2000 }, () => empty))
      const run = yield* follow(here)
      yield* Effect.sleep(700)
      assert.isAtMost(here.electric.requests("a").length, 13)
      assert.isAbove(run.seen.filter(isBatch).length, 5)
      yield* Fiber.interrupt(run.fiber)
    }),
  )
})

describe("ElectricShapeSource failing", () => {
  const cases: ReadonlyArray<readonly [name: string, fault: Fault, tag: string, words: RegExp]> = [
    [
      "a 503 with Retry-After",
      { status: 503, headers: { ...json, "retry-after": "7" }, body: '{"message":"slow down"}' },
      "Overloaded",
      /slow down/,
    ],
    ["a 429", { status: 429 }, "Overloaded", /429/],
    ["a 500", { status: 500 }, "Overloaded", /500/],
    ["a 502", { status: 502 }, "Network", /502/],
    ["a 401", { status: 401, body: '{"message":"token expired"}' }, "Unauthorised", /token expired/],
    [
      "a 403",
      { status: 403, body: '{"code":"revoked","message":"no longer a member"}' },
      "Forbidden",
      /no longer a member/,
    ],
    [
      "a 400",
      { status: 400, body: '{"message":"Invalid request","errors":{"where":["bad"]}}' },
      "ShapeRejected",
      /where: bad/,
    ],
    [
      "a 412 of the gateway",
      { status: 412, body: '{"code":"schema_mismatch","message":"reload"}' },
      "SchemaMismatch",
      /reload/,
    ],
    ["a reset connection", "reset", "Network", /./],
    ["a body cut short", "cut-body", "Network", /./],
    ["malformed JSON", ok("[{"), "ProtocolViolation", /not JSON/],
    ["an object", ok('{"rows":[]}'), "ProtocolViolation", /not an array/],
    [
      "an answer without a handle",
      ok("[]", { ...json, "electric-offset": "0_0" }),
      "ProtocolViolation",
      /electric-handle/,
    ],
    ["a captive portal", ok("<html>", { "content-type": "text/html" }), "ProtocolViolation", /lacks/],
    [
      "another content type",
      ok("[]", { ...shapeHeaders("h", "0_0"), "content-type": "text/plain" }),
      "ProtocolViolation",
      /text\/plain/,
    ],
    [
      "a change without a value",
      ok('[{"key":"k","headers":{"operation":"insert"}}]'),
      "ProtocolViolation",
      /without a value/,
    ],
    [
      "a redirect to another origin",
      { status: 302, headers: { location: "http://127.0.0.2:1/v1/shape" } },
      "ProtocolViolation",
      /redirects to/,
    ],
  ]
  for (const [name, fault, tag, words] of cases) {
    live(`ends with ${tag} after ${name}, having asked once`, () =>
      Effect.gen(function* () {
        const here = yield* world()
        here.electric.serve("a", "h1", log())
        here.electric.fault("a", fault)
        const { error, seen } = yield* failureOf(here)
        assert.strictEqual(error.reason._tag, tag)
        assert.match(error.reason.message, words)
        assert.deepStrictEqual(seen, [])
        yield* Effect.sleep(60)
        assert.strictEqual(here.electric.requests("a").length, 1)
        assert.strictEqual(here.source.connections().open, 0)
      }),
    )
  }

  live("cuts a request without an answer and a body that stalls", () =>
    Effect.gen(function* () {
      const here = yield* world({ bodyIdleMillis: 80 }, { requestTimeoutMillis: 60 })
      here.electric.fault("a", "hang", "stall-body")
      const hung = yield* failureOf(here)
      assert.strictEqual(hung.error.reason._tag, "Network")
      assert.match(hung.error.reason.message, /no answer within 60 ms/)
      const stalled = yield* failureOf(here)
      assert.match(stalled.error.reason.message, /stalled for 80 ms/)
      yield* eventually(() => here.electric.open() === 0, "both sockets are closed")
    }),
  )

  live("refuses a live answer without a cursor", () =>
    Effect.gen(function* () {
      const here = yield* world()
      here.electric.serve("a", "h1", log())
      here.electric.fault("a", "pass", "pass", ok("[]", shapeHeaders("h1", "5_0")))
      const { error } = yield* failureOf(here)
      assert.strictEqual(error.reason._tag, "ProtocolViolation")
      assert.match(error.reason.message, /electric-cursor/)
    }),
  )

  live("follows a redirect within the origin", () =>
    Effect.gen(function* () {
      const here = yield* world()
      here.electric.serve("a", "h1", log())
      here.electric.fault("a", ({ url }) => ({ status: 307, headers: { location: `/moved${url.search}` } }))
      const run = yield* follow(here)
      yield* eventually(() => run.seen.filter(isBatch).length === 2, "the snapshot arrives")
      yield* Fiber.interrupt(run.fiber)
    }),
  )

  live("is refused by nobody: a closed port is Network", () =>
    Effect.gen(function* () {
      const here = yield* world({ url: "http://127.0.0.1:4299/v1/shape" })
      const { error } = yield* failureOf(here)
      assert.strictEqual(error.reason._tag, "Network")
      assert.match(error.reason.message, /ECONNREFUSED/)
    }),
  )

  live("asks for headers with each request and says when there are none to be had", () =>
    Effect.gen(function* () {
      let token = 0
      const here = yield* world({ headers: () => ({ authorization: `Bearer ${(token += 1)}` }) })
      here.electric.serve("a", "h1", log())
      const run = yield* follow(here)
      yield* eventually(() => here.electric.open("a") === 1, "it polls")
      assert.deepStrictEqual(
        here.electric.seen.map(({ headers }) => headers.authorization),
        ["Bearer 1", "Bearer 2", "Bearer 3"],
      )
      yield* Fiber.interrupt(run.fiber)
      const without = yield* world({ headers: () => Promise.reject(new Error("no session")) })
      assert.match((yield* failureOf(without)).error.reason.message, /no session/)
      const expired = yield* world({ headers: Effect.fail(new Unauthorised({ message: "signed out" })) })
      assert.strictEqual((yield* failureOf(expired)).error.reason._tag, "Unauthorised")
    }),
  )
})

describe("ElectricShapeSource with credentials", () => {
  live("refreshes once when twelve instances meet a 401, and none of them notices (I16)", () =>
    Effect.gen(function* () {
      let refreshes = 0
      const credentials = yield* makeCredentials({
        initial: { headers: { authorization: "old" } },
        refresh: Effect.suspend(() => {
          refreshes += 1
          return Effect.delay(Effect.succeed({ headers: { authorization: "new" } }), 50)
        }),
      })
      const here = yield* world({}, { maxConnections: 4, liveSliceMillis: 60 }).pipe(
        Effect.provideService(Credentials, credentials),
      )
      const keys = Array.from({ length: 12 }, (_, index) => `k${index}`)
      for (const key of keys) {
        here.electric.serve(key, key, [rows(key), end(key)])
        here.electric.guard = ({ headers }) => headers.authorization === "new"
      }
      const runs = yield* Effect.forEach(keys, (key) => follow(here, key))
      yield* eventually(
        () => runs.every((run) => run.seen.some((event) => isBatch(event) && event.upToDate)),
        "all are up to date",
      )
      assert.strictEqual(refreshes, 1)
      assert.isAtMost(here.maxOpen(), 4)
      const refused = here.electric.seen.filter(({ headers }) => headers.authorization === "old")
      assert.isAtMost(refused.length, 4, "while the refresh runs, nobody asks with the old ones")
      yield* Effect.forEach(runs, (run) => Fiber.interrupt(run.fiber))
    }),
  )

  live("asks nothing more once the refresh was refused (I16)", () =>
    Effect.gen(function* () {
      const credentials = yield* makeCredentials({ initial: {}, refresh: () => Promise.resolve(null) })
      const here = yield* world().pipe(Effect.provideService(Credentials, credentials))
      here.electric.serve("a", "h1", log())
      here.electric.fault("a", { status: 401 })
      assert.strictEqual((yield* failureOf(here)).error.reason._tag, "Unauthorised")
      for (let turn = 0; turn < 5; turn += 1)
        assert.strictEqual((yield* failureOf(here)).error.reason._tag, "Unauthorised")
      assert.strictEqual(here.electric.seen.length, 1)
    }),
  )
})

describe("ElectricShapeSource on few connections", () => {
  live("never opens a fifth request while 10 instances refetch at once (I15)", () =>
    Effect.gen(function* () {
      const here = yield* world({}, { maxConnections: 4, liveSliceMillis: 60 })
      const keys = Array.from({ length: 10 }, (_, index) => `k${index}`)
      for (const key of keys) here.electric.serve(key, key, [rows(key), end(key)])
      const runs = yield* Effect.forEach(keys, (key) => follow(here, key))
      const upToDate = (times: number): boolean =>
        runs.every((run) => run.seen.filter((event) => isBatch(event) && event.upToDate).length >= times)
      yield* eventually(() => upToDate(1), "all are live")
      for (const key of keys) here.electric.serve(key, `${key}-2`, [rows(`${key}-2`), end(`${key}-2`)])
      yield* eventually(() => upToDate(2), "all have refetched")
      assert.isAtMost(here.maxOpen(), 4)
      yield* Effect.forEach(runs, (run) => Fiber.interrupt(run.fiber))
    }),
  )

  live("rotates 12 live instances on 3 connections, never a fourth, and every change arrives (I15)", () =>
    Effect.gen(function* () {
      const here = yield* world({}, { maxConnections: 3, liveSliceMillis: 60 })
      const keys = Array.from({ length: 12 }, (_, index) => `k${index}`)
      for (const key of keys) here.electric.serve(key, key, [rows(key), end(key)])
      const runs = yield* Effect.forEach(keys, (key, index) => follow(here, key, null, index % 3))
      yield* eventually(
        () => runs.every((run) => run.seen.some((event) => isBatch(event) && event.upToDate)),
        "all are live",
      )
      for (let round = 1; round <= 3; round += 1) {
        for (const key of keys)
          here.electric.append(
            key,
            batch({ handle: key, offset: `${round}_0`, messages: [insert(key, { id: String(round + 1) })] }),
          )
        const arrived = (): boolean =>
          runs.every((run) =>
            run.seen.some((event) => isBatch(event) && event.checkpoint.offset === `${round}_0`),
          )
        yield* eventually(arrived, `round ${round} arrives everywhere`)
      }
      for (const run of runs) {
        const offsets = run.seen
          .filter(isBatch)
          .filter((event) => event.messages.length > 0)
          .map((event) => event.checkpoint.offset)
        assert.deepStrictEqual(offsets, ["0_0", "1_0", "2_0", "3_0"])
      }
      assert.isAtMost(here.maxOpen(), 3)
      assert.deepStrictEqual(here.source.connections(), { open: 3, waiting: 9, max: 3 })
      assert.isTrue(
        runs.every((run) =>
          run.seen.some((event) => event._tag === "Signal" && event.signal === "slot-lost"),
        ),
      )
      yield* Effect.forEach(runs, (run) => Fiber.interrupt(run.fiber))
      assert.deepStrictEqual(here.source.connections(), { open: 0, waiting: 0, max: 3 })
      yield* eventually(() => here.electric.open() === 0, "every socket is closed")
    }),
  )

  live(
    "asks on with the same poll, cursor included, after waiting for a connection: no catch-up in between",
    () =>
      Effect.gen(function* () {
        const here = yield* world({}, { maxConnections: 1, liveSliceMillis: 60 })
        for (const key of ["a", "b"]) here.electric.serve(key, key, [rows(key), end(key)])
        const runs = yield* Effect.forEach(["a", "b"], (key) => follow(here, key))
        const polls = () =>
          here.electric.requests("a").filter(({ searchParams }) => searchParams.get("live") === "true")
        yield* eventually(() => polls().length > 0, "a polls")
        here.electric.append("a", batch({ handle: "a", offset: "1_0", messages: [insert("a", { id: "2" })] }))
        yield* eventually(
          () => polls().filter((url) => url.searchParams.has("cursor")).length >= 4,
          "it rotates",
        )
        const asked = here.electric.requests("a").map(({ searchParams }) => searchParams.get("live"))
        // The first snapshot and its second chunk; everything after is a poll.
        assert.deepStrictEqual(asked.slice(0, 2), [null, null])
        assert.isTrue(asked.slice(2).every((value) => value === "true"))
        const later = polls().filter((url) => url.searchParams.get("offset") === "1_0")
        assert.deepStrictEqual(new Set(later.map((url) => url.searchParams.get("cursor"))), new Set(["1000"]))
        yield* Effect.forEach(runs, (run) => Fiber.interrupt(run.fiber))
        assert.deepStrictEqual(here.source.connections(), { open: 0, waiting: 0, max: 1 })
      }),
  )

  live("keeps a poll open as long as nobody else waits", () =>
    Effect.gen(function* () {
      const here = yield* world({}, { maxConnections: 2, liveSliceMillis: 30 })
      for (const key of ["a", "b"]) here.electric.serve(key, key, [rows(key), end(key)])
      const runs = yield* Effect.forEach(["a", "b"], (key) => follow(here, key))
      yield* eventually(() => here.electric.open() === 2, "both poll")
      yield* Effect.sleep(150)
      assert.strictEqual(here.electric.seen.length, 6)
      yield* Effect.forEach(runs, (run) => Fiber.interrupt(run.fiber))
    }),
  )

  live("lets a new instance in before a poll whose slice is over", () =>
    Effect.gen(function* () {
      const here = yield* world({}, { maxConnections: 1, liveSliceMillis: 30 })
      for (const key of ["a", "b"]) here.electric.serve(key, key, [rows(key), end(key)])
      const a = yield* follow(here, "a", null, 100)
      yield* eventually(() => here.electric.open("a") === 1 && a.seen.filter(isBatch).length === 2, "a polls")
      const b = yield* follow(here, "b")
      yield* eventually(() => b.seen.filter(isBatch).length === 2, "b catches up")
      assert.strictEqual(here.maxOpen(), 1)
      yield* Effect.forEach([a, b], (run) => Fiber.interrupt(run.fiber))
    }),
  )

  live("leaves no timer of the client behind when runs are interrupted", () =>
    Effect.gen(function* () {
      const here = yield* world()
      here.electric.serve("a", "h1", log())
      const timers = (): number =>
        process.getActiveResourcesInfo().filter((name) => name === "Timeout").length
      const warm = yield* follow(here)
      yield* eventually(() => here.electric.open("a") === 1, "it polls")
      yield* Fiber.interrupt(warm.fiber)
      yield* eventually(() => here.electric.open() === 0, "the socket is closed")
      const before = timers()
      const runs = yield* Effect.forEach(Array.from({ length: 4 }), () => follow(here))
      yield* eventually(() => here.electric.open("a") === 4, "all poll")
      yield* Effect.forEach(runs, (run) => Fiber.interrupt(run.fiber))
      yield* eventually(() => here.electric.open() === 0, "the sockets are closed")
      assert.isAtMost(timers(), before)
    }),
  )
})

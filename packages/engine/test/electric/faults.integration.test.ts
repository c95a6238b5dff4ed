/**
 * Every failure on the wire, as a row of `wireFailures`: a real server misbehaves towards a real source and a real engine, and the
 * test names the state it leads to, what happens next, and that no row was lost on the way.
 */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Effect, Layer, type Scope } from "effect"
import {
  Credentials,
  defaultEngineConfig,
  Engine,
  EngineConfig,
  type EngineConfigShape,
  HostSignals,
  makeCredentials,
  type CredentialsOptions,
  type CredentialsShape,
} from "@espalier/engine"
import { ElectricShapeSource } from "@espalier/engine/electric"
import { eq, Graph, identity, param } from "@espalier/engine/graph"
import { MemoryLocalStore } from "@espalier/engine/memory"
import { wireFailures } from "@espalier/engine/protocol"
import { minBackoffMillis } from "../../src/protocol/backoff.ts"
import { batch, insert, snapshotEnd } from "../../src/testing/messages.ts"
import { ScriptedElectric, shapeHeaders, type Fault } from "../support/scriptedElectric.ts"

const graph = Graph.make({
  name: "faults",
  params: { userId: identity("text") },
  tables: { notes: { columns: { id: "text", owner_id: "text" }, primaryKey: ["id"] } },
  nodes: { notes: { table: "notes", where: eq("owner_id", param("userId")), key: "notes-{userId}" } },
})
const key = "notes-u"
const note = (id: string) => ({ id, owner_id: "u" })
const log = (handle: string, ...ids: ReadonlyArray<string>) => [
  batch({ handle, offset: "0_0", messages: ids.map((id) => insert("notes", note(id))), upToDate: false }),
  batch({ handle, offset: "0_inf", messages: [snapshotEnd()] }),
]
const later = (handle: string, id: string) =>
  batch({ handle, offset: "9_0", messages: [insert("notes", note(id), { lsn: 9 })] })

type Id = keyof typeof wireFailures

interface World {
  readonly electric: ScriptedElectric
  readonly engine: Engine["Service"]
  readonly rows: Effect.Effect<ReadonlyArray<string | null | undefined>>
  readonly credentials: CredentialsShape | null
  /** A row was missing at some moment. */
  lost: boolean
}

interface Scenario {
  /** What the next requests meet. */
  readonly faults: ReadonlyArray<Fault>
  readonly config?: Partial<EngineConfigShape>
  readonly credentials?: CredentialsOptions
  /** The next run may start no sooner than this after the failure. */
  readonly floorMillis?: number
  /** The rows go. */
  readonly revokes?: boolean
  /** Handle the server goes on with; its log has the same rows. */
  readonly handle?: string
  /** What clears a halt. Default: a retry. */
  readonly clears?: (here: World) => Effect.Effect<unknown>
}

const json = { "content-type": "application/json" }
const ok = (body: string, headers: Record<string, string> = shapeHeaders("h1", "9_0")): Fault => ({
  headers: { "electric-cursor": "7", ...headers },
  body,
})
const bare409: Fault = { status: 409, headers: json, body: '[{"headers":{"control":"must-refetch"}}]' }
const status = (code: number, headers: Record<string, string> = {}, body = '{"message":"no"}'): Fault => ({
  status: code,
  headers: { ...json, ...headers },
  body,
})

const scenarios: Record<Exclude<Id, "401-refreshed" | "clock-jump">, Scenario> = {
  "400": { faults: [status(400)] },
  "401": { faults: [status(401)] },
  "401-refused": {
    faults: [status(401)],
    credentials: { initial: {}, refresh: () => Promise.resolve(null) },
    clears: ({ credentials }) => credentials?.set({ headers: { authorization: "new" } }) ?? Effect.void,
  },
  "403": { faults: [status(403, {}, "<html>please sign in</html>")] },
  // Demanded a moment ago, so three denials are waited out.
  "403-revoked": {
    faults: Array.from({ length: 4 }, () => status(403, {}, '{"code":"revoked","message":"gone"}')),
    revokes: true,
  },
  "404": { faults: [status(404)] },
  "408": { faults: [status(408)] },
  "409": { faults: [], handle: "h2" },
  "409-bare": { faults: [bare409], handle: "h2" },
  "409-repeated": { faults: [bare409, bare409, bare409, bare409], handle: "h2" },
  "412": { faults: [status(412, {}, '{"code":"schema_mismatch","message":"reload"}')] },
  "413": { faults: [status(413)] },
  "429": { faults: [status(429)] },
  "500": { faults: [status(500)] },
  "502": { faults: [status(502)] },
  "503": { faults: [status(503)] },
  "503-seconds": { faults: [status(503, { "retry-after": "1" })], floorMillis: 1_000 },
  "503-date": {
    faults: [() => status(503, { "retry-after": new Date(Date.now() + 2_000).toUTCString() }) as never],
    floorMillis: 900,
  },
  "bad-json": { faults: [ok("[{")] },
  "not-array": { faults: [ok('{"rows":[]}')] },
  "bad-headers": { faults: [ok("[]", json)] },
  "content-type": { faults: [ok("[]", { ...shapeHeaders("h1", "9_0"), "content-type": "text/html" })] },
  redirect: { faults: [status(302, { location: "http://127.0.0.2:1/v1/shape" })] },
  truncated: { faults: ["truncate"] },
  reset: { faults: ["cut-body"] },
  stalled: { faults: ["stall-body"] },
  // The limit holds for long polls as well, so later ones fail too; the row arrives between.
  hang: { faults: ["hang"], config: { requestTimeoutMillis: 400 } },
}

const world = (scenario: Pick<Scenario, "config" | "credentials">, clock?: Clock.Clock) =>
  Effect.gen(function* () {
    const electric = yield* ScriptedElectric.start
    electric.serve("notes", "h1", log("h1", "a", "b"))
    const config = {
      ...defaultEngineConfig,
      backoffBaseMillis: 20,
      statusIntervalMillis: 5,
      ...scenario.config,
    }
    const credentials: CredentialsShape | null =
      scenario.credentials === undefined ? null : yield* makeCredentials(scenario.credentials)
    const services = yield* Layer.build(
      Engine.layer({ graph, params: { userId: "u" } }).pipe(
        Layer.provideMerge(MemoryLocalStore.layer({ graph })),
        Layer.provide(
          ElectricShapeSource.layer({ url: electric.url, kind: "electric", bodyIdleMillis: 150 }),
        ),
        Layer.provide(Layer.succeed(HostSignals, HostSignals.alwaysOnline)),
        Layer.provide(Layer.succeed(EngineConfig, config)),
        credentials === null ? (self) => self : Layer.provide(Layer.succeed(Credentials, credentials)),
        clock === undefined ? (self) => self : Layer.provide(Layer.succeed(Clock.Clock, clock)),
      ),
    )
    const engine = Context.get(services, Engine)
    const store = Context.get(services, MemoryLocalStore)
    const rows = Effect.map(store.rows("notes"), (found) => found.map((row) => row["id"]))
    const here: World = { electric, engine, rows, credentials, lost: false }
    yield* eventually(here, ({ state }) => state === "Live", "it is live")
    // From here on the two rows are looked for all the time.
    yield* Effect.forkScoped(
      Effect.forever(
        Effect.flatMap(rows, (ids) => {
          if (!ids.includes("a") || !ids.includes("b")) here.lost = true
          return Effect.sleep(2)
        }),
      ),
    )
    return here
  })

const look = ({ engine }: Pick<World, "engine">) =>
  Effect.map(engine.status, ({ instances }) => ({
    state: instances[key]?.state,
    reason: instances[key]?.error?.reason ?? null,
  }))

const eventually = (
  here: Pick<World, "engine">,
  holds: (seen: Effect.Success<ReturnType<typeof look>>) => boolean,
  what: string,
) =>
  Effect.gen(function* () {
    for (let turn = 0; turn < 1_200; turn += 1) {
      if (holds(yield* look(here))) return
      yield* Effect.sleep(5)
    }
    const lines = (yield* here.engine.journal).map(({ at, event, detail }) => `${at} ${event} ${detail}`)
    assert.fail(`never happens: ${what}\n${JSON.stringify(yield* look(here))}\n${lines.join("\n")}`)
  })

const holdsRows = (here: World, ...ids: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    for (let turn = 0; turn < 1_200; turn += 1) {
      if ((yield* here.rows).join() === ids.join()) return
      yield* Effect.sleep(5)
    }
    assert.deepStrictEqual(yield* here.rows, [...ids])
  })

/** States the instance went through, from the journal. */
const passed = (here: World) =>
  Effect.map(here.engine.journal, (lines) =>
    lines.flatMap(({ detail, event }) => (event === "state" ? [/→ (\w+)/.exec(detail)?.[1]] : [])),
  )

const awaitFailure = (here: World, reason: string) =>
  Effect.gen(function* () {
    for (let turn = 0; turn < 1_200; turn += 1) {
      const failed = (yield* here.engine.journal).find(({ event }) => event === "failed")
      if (failed !== undefined) return assert.match(failed.detail, new RegExp(`^${reason}: `))
      yield* Effect.sleep(5)
    }
    assert.fail(`never fails with ${reason}`)
  })

/** The loop guard: the same address twice is at least the shortest wait apart (I5). */
const neverHasty = (here: World) => {
  const { seen } = here.electric
  seen.forEach((request, index) => {
    const before = seen.slice(0, index).findLast(({ url }) => url.href === request.url.href)
    // The server's clock and ours are the same; 5 ms are left for the way.
    if (before !== undefined) assert.isAtLeast(request.at - before.at, minBackoffMillis - 5)
  })
}

const afterBackoff = (here: World, scenario: Scenario) =>
  Effect.gen(function* () {
    const journal = yield* here.engine.journal
    const failed = journal.find(({ event }) => event === "failed")
    const next = journal.find(({ event, seq }) => event === "start" && seq > (failed?.seq ?? 0))
    assert.isAtLeast((next?.at ?? 0) - (failed?.at ?? 0), scenario.floorMillis ?? minBackoffMillis)
  })

const afterHalt = (here: World, scenario: Scenario, reason: string) =>
  Effect.gen(function* () {
    yield* eventually(
      here,
      (seen) => seen.state === "Halted" && seen.reason === reason,
      `it halts: ${reason}`,
    )
    const asked = here.electric.seen.length
    yield* Effect.sleep(250)
    assert.strictEqual(here.electric.seen.length, asked, "a halted instance asks nothing")
    assert.deepStrictEqual(yield* here.rows, scenario.revokes === true ? [] : ["a", "b"])
    yield* (scenario.clears ?? (({ engine }) => engine.retry(key)))(here)
  })

const live = (name: string, body: () => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live(name, () => Effect.scoped(body()))

describe("A misbehaving server", () => {
  for (const [id, scenario] of Object.entries(scenarios) as Array<[keyof typeof scenarios, Scenario]>) {
    const row = wireFailures[id]
    live(`leads to ${row.state} on ${row.failure}, then ${row.next}`, () =>
      Effect.gen(function* () {
        const here = yield* world(scenario)
        const handle = scenario.handle ?? "h1"
        if (scenario.faults.length > 0) here.electric.fault("notes", ...scenario.faults)
        here.electric.serve("notes", handle, log(handle, "a", "b"))
        if (row.reason !== null) yield* awaitFailure(here, row.reason)
        if (row.state === "Halted") yield* afterHalt(here, scenario, row.reason ?? "")
        here.electric.append("notes", later(handle, "c"))
        yield* holdsRows(here, "a", "b", "c")
        yield* eventually(here, ({ state }) => state === "Live", "it is live again")
        assert.include(yield* passed(here), row.state)
        if (row.state === "Backoff") yield* afterBackoff(here, scenario)
        if (scenario.revokes !== true) assert.isFalse(here.lost, "no row was ever lost")
        neverHasty(here)
      }),
    )
  }

  live(
    `stays ${wireFailures["401-refreshed"].state} on a 401 in a long poll, after ${wireFailures["401-refreshed"].next}`,
    () =>
      Effect.gen(function* () {
        let refreshes = 0
        const here = yield* world({
          credentials: {
            initial: { headers: { authorization: "old" }, params: { tenant: "1" } },
            refresh: () => {
              refreshes += 1
              return Promise.resolve({ headers: { authorization: "new" }, params: { tenant: "2" } })
            },
          },
        })
        here.electric.fault("notes", status(401))
        here.electric.append("notes", later("h1", "c"))
        yield* holdsRows(here, "a", "b", "c")
        assert.strictEqual(refreshes, 1)
        const asked = here.electric.seen.map(({ headers, url }) => [
          headers.authorization,
          url.searchParams.get("tenant"),
        ])
        assert.deepStrictEqual(asked[0], ["old", "1"])
        assert.deepStrictEqual(asked.at(-1), ["new", "2"])
        assert.deepStrictEqual(yield* passed(here), ["Initial", "Syncing", "Live"])
        assert.isFalse(here.lost)
        neverHasty(here)
      }),
  )

  live(
    `stays ${wireFailures["clock-jump"].state} when ${wireFailures["clock-jump"].failure}: ${wireFailures["clock-jump"].next}`,
    () =>
      Effect.gen(function* () {
        const real = yield* Clock.Clock
        let offset = 0
        const wall = () => real.currentTimeMillisUnsafe() + offset
        const jumping: Clock.Clock = Object.assign(Object.create(real) as Clock.Clock, {
          currentTimeMillisUnsafe: wall,
          currentTimeMillis: Effect.sync(wall),
        })
        const here = yield* world({ config: { clockJumpMillis: 200 } }, jumping)
        // The poll that is open will never be answered: its server forgot it while the host slept.
        here.electric.fault("notes", "hang")
        yield* Effect.sleep(50)
        const asked = here.electric.seen.length
        for (const jump of [3_600_000, -7_200_000]) {
          offset += jump
          here.electric.fault("notes", ...(jump > 0 ? (["hang"] as const) : []))
          for (let turn = 0; turn < 200; turn += 1) {
            if (
              (yield* here.engine.journal).some(({ detail }) =>
                detail.startsWith(String(Math.sign(jump) === 1 ? 3 : -7)),
              )
            )
              break
            yield* Effect.sleep(10)
          }
        }
        here.electric.append("notes", later("h1", "c"))
        yield* holdsRows(here, "a", "b", "c")
        assert.strictEqual(
          (yield* here.engine.journal).filter(({ event }) => event === "clock-jump").length,
          2,
        )
        assert.isAtMost(here.electric.seen.length - asked, 4)
        assert.notInclude(yield* passed(here), "Backoff")
        assert.isFalse(here.lost)
      }),
  )
})

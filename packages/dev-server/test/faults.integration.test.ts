/** Faults on purpose, over real HTTP: each kind, whom it meets, how it ends, and who may control them. */
import { request as httpRequest } from "node:http"
import { PGlite } from "@electric-sql/pglite"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { afterAll, beforeAll } from "vitest"
import { readFlags } from "../src/cli/flags.ts"
import { readFaultOption } from "../src/faults/Fault.ts"
import {
  DevServer,
  type DevServerHandle,
  type DevServerOptions,
  type Fault,
  readFault,
} from "../src/index.ts"
import { OfficialClient } from "./support/OfficialClient.ts"

let db: PGlite

beforeAll(async () => {
  db = await PGlite.create()
  await db.exec(`
    create table notes (id int primary key, text text);
    create table other (id int primary key);
    insert into notes select g, repeat('long ', 200) from generate_series(1, 50) g;
    insert into other values (1);`)
})

afterAll(() => db.close())

const serve = (options: Partial<DevServerOptions> = {}) =>
  DevServer.make({ db, longPollTimeoutMillis: 300, faultToken: "token", ...options })

const fault = (value: Readonly<Record<string, unknown>>): Fault => {
  const { fault: read, problem } = readFault(value)
  if (read === undefined) throw new Error(problem)
  return read
}

const ask = (server: DevServerHandle, query: Record<string, string> = {}) =>
  fetch(`${server.url}/v1/shape?${new URLSearchParams({ table: "notes", offset: "-1", ...query })}`)

const answer = (server: DevServerHandle, query: Record<string, string> = {}) =>
  Effect.promise(async () => {
    const response = await ask(server, query)
    return { status: response.status, headers: response.headers, body: await response.text() }
  })

const control = (
  server: DevServerHandle,
  method: string,
  path = "/faults",
  body?: unknown,
  token = "token",
) =>
  Effect.promise(() =>
    fetch(server.url + path, {
      method,
      headers: { "x-espalier-dev": token, origin: "http://evil.example" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }),
  )

/** What became of a request: how much of the promised body came, and whether it broke. */
const outcome = (server: DevServerHandle) =>
  Effect.promise(
    () =>
      new Promise<{ readonly status: number; readonly share: number; readonly isBroken: boolean }>(
        (resolve) => {
          const outgoing = httpRequest(`${server.url}/v1/shape?table=notes&offset=-1`, (incoming) => {
            let bytes = 0
            const promised = Number(incoming.headers["content-length"])
            incoming.on("data", (piece: Buffer) => (bytes += piece.byteLength))
            incoming.once("close", () =>
              resolve({
                status: incoming.statusCode ?? 0,
                share: bytes / promised,
                isBroken: !incoming.complete,
              }),
            )
            incoming.on("error", () => undefined)
          })
          outgoing.on("error", () => resolve({ status: 0, share: 0, isBroken: true }))
          outgoing.end()
        },
      ),
  )

describe("Faults", () => {
  it.live("are absent unless asked for, and their endpoint with them", () =>
    Effect.gen(function* () {
      const server = yield* serve({ faultToken: null })
      assert.strictEqual((yield* control(server, "GET")).status, 404)
      assert.deepStrictEqual(server.faults.list(), [])
      assert.strictEqual((yield* answer(server)).status, 200)
    }),
  )

  it.live("answer 503, 429 and 409 with what the client needs to go on", () =>
    Effect.gen(function* () {
      const server = yield* serve()
      server.faults.add(fault({ kind: "status", status: 503, retryAfter: 7, times: 1 }))
      const unavailable = yield* answer(server)
      assert.deepStrictEqual([unavailable.status, unavailable.headers.get("retry-after")], [503, "7"])
      assert.include(unavailable.body, '"code":"injected_fault"')
      assert.strictEqual(unavailable.headers.get("access-control-allow-origin"), "*")
      server.faults.add(fault({ kind: "status", status: 429, times: 2 }))
      for (const status of [429, 429, 200]) assert.strictEqual((yield* answer(server)).status, status)
      server.faults.add(fault({ kind: "status", status: 409, times: 1 }))
      const refetch = yield* answer(server)
      assert.deepStrictEqual(
        [refetch.status, refetch.body],
        [409, '[{"headers":{"control":"must-refetch"}}]'],
      )
      assert.deepStrictEqual(server.faults.list(), [])
    }),
  )

  it.live("meet only the table, the handle and the kind of request they name", () =>
    Effect.gen(function* () {
      const server = yield* serve()
      const first = yield* answer(server)
      const handle = first.headers.get("electric-handle") ?? ""
      const live = { offset: "0_inf", handle, live: "true" }
      server.faults.add(fault({ kind: "status", status: 503, table: "other" }))
      assert.strictEqual((yield* answer(server)).status, 200)
      assert.strictEqual((yield* answer(server, { table: "other" })).status, 503)
      server.faults.clear()
      server.faults.add(fault({ kind: "status", status: 503, handle, live: true }))
      const statuses = [
        yield* answer(server, live),
        yield* answer(server, { offset: "0_inf", handle }),
        yield* answer(server),
      ]
      assert.deepStrictEqual(
        statuses.map(({ status }) => status),
        [503, 200, 200],
      )
      server.faults.clear()
      server.faults.add(fault({ kind: "status", status: 503, rate: 0 }))
      assert.strictEqual((yield* answer(server)).status, 200)
    }),
  )

  it.live("delay an answer, and let go of clients that do not wait for it", () =>
    Effect.gen(function* () {
      const server = yield* serve()
      server.faults.add(fault({ kind: "latency", millis: 150 }))
      server.faults.add(fault({ kind: "status", status: 429, times: 1 }))
      const start = performance.now()
      assert.strictEqual((yield* answer(server)).status, 429)
      assert.isAtLeast(performance.now() - start, 145)
      server.faults.add(fault({ kind: "latency", millis: 600_000 }))
      const gone = yield* Effect.promise(() =>
        fetch(`${server.url}/v1/shape?table=notes&offset=-1`, { signal: AbortSignal.timeout(50) }).then(
          String,
          (error: Error) => error.name,
        ),
      )
      assert.strictEqual(gone, "TimeoutError")
    }),
  )

  it.live("cut connections before an answer and in the middle of one", () =>
    Effect.gen(function* () {
      const server = yield* serve()
      server.faults.add(fault({ kind: "drop", times: 1 }))
      assert.deepStrictEqual(yield* outcome(server), { status: 0, share: 0, isBroken: true })
      server.faults.add(fault({ kind: "reset", times: 1 }))
      const broken = yield* outcome(server)
      assert.deepStrictEqual([broken.status, broken.isBroken], [200, true])
      assert.isAbove(broken.share, 0.4)
      assert.isBelow(broken.share, 0.6)
      assert.deepStrictEqual(yield* outcome(server), { status: 200, share: 1, isBroken: false })
    }),
  )

  it.live("give the first answer of a URL again and again, as a cache does that never asks", () =>
    Effect.gen(function* () {
      const server = yield* serve({ allowDelete: true })
      server.faults.add(fault({ kind: "stale" }))
      const first = yield* answer(server, { table: "other" })
      yield* Effect.promise(() => fetch(`${server.url}/v1/shape?table=other`, { method: "DELETE" }))
      const again = yield* answer(server, { table: "other" })
      assert.deepStrictEqual([again.status, again.body], [200, first.body])
      assert.deepStrictEqual(
        Object.fromEntries(again.headers)["electric-handle"],
        first.headers.get("electric-handle"),
      )
      const busted = yield* answer(server, { table: "other", "cache-buster": "1" })
      assert.notStrictEqual(busted.headers.get("electric-handle"), first.headers.get("electric-handle"))
      server.faults.clear()
      const fresh = yield* answer(server, { table: "other" })
      assert.strictEqual(fresh.headers.get("electric-handle"), busted.headers.get("electric-handle"))
    }),
  )

  it.live("are overcome by the official client", () =>
    Effect.gen(function* () {
      const server = yield* serve()
      for (const kind of ["drop", "reset"]) server.faults.add(fault({ kind, times: 1 }))
      server.faults.add(fault({ kind: "status", status: 503, times: 1 }))
      server.faults.add(fault({ kind: "status", status: 409, times: 1, live: true }))
      // A broken body reaches the client's `onError`, which has to ask for another try.
      const client = new OfficialClient(server.url, { table: "other" }, { onError: () => ({}) })
      yield* Effect.addFinalizer(() => Effect.sync(() => client.close()))
      yield* Effect.promise(() => client.until("a refetch", () => client.mustRefetches > 0, 30_000))
      yield* Effect.promise(() => client.untilIds("1"))
      assert.deepStrictEqual([client.errors, server.faults.list()], [[], []])
      assert.strictEqual(client.mustRefetches, 1)
    }),
  )
})

describe("The control of faults", () => {
  it.live("adds, lists and ends them", () =>
    Effect.gen(function* () {
      const server = yield* serve()
      const added = yield* control(server, "POST", "/faults", { kind: "status", status: 503, table: "notes" })
      const { id } = (yield* Effect.promise(() => added.json())) as { readonly id: string }
      assert.strictEqual(added.status, 201)
      assert.strictEqual((yield* answer(server)).status, 503)
      const listed = (yield* control(server, "GET")).json()
      const { faults } = (yield* Effect.promise(() => listed)) as { readonly faults: ReadonlyArray<object> }
      assert.deepInclude(faults[0], { id, kind: "status", status: 503, table: "notes", happened: 1 })
      assert.strictEqual((yield* control(server, "DELETE", "/faults?id=nine")).status, 404)
      assert.strictEqual((yield* control(server, "DELETE", `/faults?id=${id}`)).status, 204)
      assert.strictEqual((yield* answer(server)).status, 200)
      server.faults.add(fault({ kind: "drop" }))
      assert.strictEqual((yield* control(server, "DELETE")).status, 204)
      assert.deepStrictEqual(server.faults.list(), [])
    }),
  )

  it.live("refuses wrong tokens, foreign hosts, other methods and bad faults, and has no CORS", () =>
    Effect.gen(function* () {
      const server = yield* serve()
      const refused = yield* control(server, "GET", "/faults", undefined, "wrong")
      assert.deepStrictEqual(
        [refused.status, refused.headers.get("access-control-allow-origin")],
        [401, null],
      )
      assert.strictEqual((yield* control(server, "OPTIONS")).status, 405)
      const allowed = yield* control(server, "GET")
      assert.deepStrictEqual(
        [allowed.status, allowed.headers.get("access-control-allow-origin")],
        [200, null],
      )
      const foreign = yield* Effect.promise(
        () =>
          new Promise<number | undefined>((resolve, reject) => {
            const headers = { host: "evil.example", "x-espalier-dev": "token" }
            httpRequest(`${server.url}/faults`, { headers }, (incoming) =>
              resolve(incoming.resume().statusCode),
            )
              .on("error", reject)
              .end()
          }),
      )
      assert.strictEqual(foreign, 403)
      for (const bad of [
        null,
        [],
        "x",
        {},
        { kind: "fire" },
        { kind: "latency" },
        { kind: "status", status: 200 },
      ]) {
        assert.strictEqual((yield* control(server, "POST", "/faults", bad)).status, 400)
      }
      assert.deepStrictEqual(server.faults.list(), [])
    }),
  )

  it("reads faults from the command line, or says what is wrong with them", () => {
    const read = readFlags(
      ["--fault", "latency=200,table=notes,rate=0.5", "--fault", "status=503,retry-after=2,times=3,live"],
      {},
    )
    assert.deepStrictEqual(
      read.flags?.faults.map(({ kind, live, millis, rate, retryAfter, status, table, times }) => [
        [kind, millis, table, rate],
        [status, retryAfter, times, live],
      ]),
      [
        [
          ["latency", 200, "notes", 0.5],
          [503, null, null, null],
        ],
        [
          ["status", 0, null, 1],
          [503, 2, 3, true],
        ],
      ],
    )
    assert.match(String(readFlags(["--fault", "fire"], {}).problem), /--fault fire: kind must be one of/u)
    for (const bad of [
      "latency",
      "latency=x",
      "status=500",
      "drop,rate=2",
      "drop,color=red",
      "drop,live=maybe",
      "stale,times=0",
    ])
      assert.isString(readFaultOption(bad).problem, bad)
  })
})

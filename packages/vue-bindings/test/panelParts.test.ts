import { describe, expect, it } from "vitest"
import type { JournalEntry, RequestEntry } from "@espalier/engine/protocol"
import { graph } from "../examples/graph.ts"
import { httpFaults } from "../src/panel/faults.ts"
import { instancesAt, stateHistory } from "../src/panel/history.ts"
import { boxHeight, layoutGraph, measures } from "../src/panel/layout.ts"
import { lsnOfOffset } from "../src/panel/lsn.ts"
import { describeValue, makeRedactor } from "../src/panel/redact.ts"
import { bugReport } from "../src/panel/report.ts"
import { countsSql, rowsSql } from "../src/panel/rowsSql.ts"
import { requestTone, requestWindow, waterfall } from "../src/panel/waterfall.ts"
import { instance, statusOf } from "./support/FakeEngineClient.ts"

const acme = "10000000-0000-4000-8000-000000000001"
const birch = "10000000-0000-4000-8000-000000000002"

describe("hiding values", () => {
  it("replaces ids, addresses, quoted literals and known values, the same value by the same alias", () => {
    const redactor = makeRedactor()
    redactor.learn(["7", "New York"])
    const text = redactor.text(
      `company-${acme}-members of ${birch} and ${acme}: 'o''neil', ann@example.org, New York, id 7, 77 rows`,
    )
    expect(text).toBe("company-‹1›-members of ‹2› and ‹1›: ‹4›, ‹3›, ‹5›, id ‹6›, 77 rows")
  })

  it("says of a cell only what kind of value it is", () => {
    expect([null, "secret", 4, true, new Uint8Array(3), new Date(0), { a: 1 }].map(describeValue)).toEqual([
      "null",
      "‹text, 6›",
      "‹number›",
      "‹boolean›",
      "‹bytes, 3›",
      "‹time›",
      "‹json›",
    ])
  })
})

describe("the layout of the graph", () => {
  const heights = new Map(Object.keys(graph.nodes).map((node, n) => [node, boxHeight(n % 3)]))
  const overlap = (width: number): ReadonlyArray<string> => {
    const { boxes } = layoutGraph(graph, heights, width)
    return boxes.flatMap((a, at) =>
      boxes
        .slice(at + 1)
        .filter(
          (b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height,
        )
        .map((b) => `${a.node} lies on ${b.node}`),
    )
  }

  it("stands side by side where there is room, and indented where there is not; no box on another", () => {
    expect(layoutGraph(graph, heights, 2_000).direction).toBe("across")
    expect(layoutGraph(graph, heights, 358).direction).toBe("down")
    expect([overlap(2_000), overlap(358)]).toEqual([[], []])
  })

  it("draws one edge to every node that has a parent, and never wider than there is room", () => {
    const { edges, width } = layoutGraph(graph, heights, 358)
    const children = Object.values(graph.nodes).filter(({ parent }) => parent !== null)
    expect(edges.map(({ from, to }) => [from, to]).sort()).toEqual(
      children.map(({ parent, id }) => [parent, id]).sort(),
    )
    expect(width).toBe(358)
    expect(layoutGraph(graph, heights, 40).width).toBeGreaterThanOrEqual(measures.width)
  })
})

const line = (seq: number, at: number, key: string, event: string, detail: string): JournalEntry => ({
  seq,
  at,
  key,
  event,
  detail,
})
const journal = [
  line(0, 10, "a", "desired", "root of the graph"),
  line(1, 20, "a", "state", "Pending → Initial on Admitted"),
  line(2, 30, "a", "state", "Initial → Syncing on Accepted"),
  line(3, 40, "b", "desired", "a"),
  line(4, 45, "b", "state", "Pending → Initial on Admitted"),
  line(5, 50, "a", "state", "Syncing → Live on UpToDate"),
]
const [a, b] = [
  instance(graph, { key: "a", node: "mine", state: "Live", since: 50 }),
  instance(graph, { key: "b", node: "companies", state: "Initial", since: 45 }),
]

describe("the past", () => {
  it("tells how long an instance was in which state, newest first", () => {
    expect(stateHistory(a, journal)).toEqual([
      { state: "Live", since: 50, until: null, event: "UpToDate" },
      { state: "Syncing", since: 30, until: 50, event: "Accepted" },
      { state: "Initial", since: 20, until: 30, event: "Admitted" },
    ])
    expect(stateHistory(b, [])).toEqual([{ state: "Initial", since: 45, until: null, event: null }])
  })

  it("undoes the journal to the states of a moment, without those that came later", () => {
    const at = (moment: number) => instancesAt([a, b], journal, moment).map(({ key, state }) => [key, state])
    expect(at(60)).toEqual([
      ["a", "Live"],
      ["b", "Initial"],
    ])
    expect(at(47)).toEqual([
      ["a", "Syncing"],
      ["b", "Initial"],
    ])
    expect(at(42)).toEqual([
      ["a", "Syncing"],
      ["b", "Pending"],
    ])
    expect(at(35)).toEqual([["a", "Syncing"]])
    expect(at(15)).toEqual([["a", "Pending"]])
    expect(at(5)).toEqual([])
  })
})

const request = (over: Partial<RequestEntry>): RequestEntry => ({
  id: 0,
  key: "a",
  phase: "live",
  url: "https://app.test/v1/shape",
  startedAt: 0,
  headersAt: 50,
  endedAt: 100,
  status: 200,
  bytes: 10,
  outcome: "answered",
  failure: null,
  ...over,
})

describe("the waterfall", () => {
  it("puts each request where it was in time, open ones up to now, tracks by their last request", () => {
    const entries = [
      request({ id: 1, startedAt: 0, endedAt: 500, headersAt: 250 }),
      request({
        id: 2,
        key: "b",
        startedAt: 500,
        endedAt: null,
        headersAt: null,
        status: null,
        outcome: "open",
      }),
    ]
    const window = requestWindow(entries, 2_000)
    expect(window).toEqual({ from: 0, to: 2_000 })
    const tracks = waterfall(entries, window)
    expect(tracks.map(({ key, open, requests }) => [key, open, requests])).toEqual([
      ["b", 1, 1],
      ["a", 0, 1],
    ])
    expect(tracks[0]?.bars[0]).toMatchObject({ left: 25, width: 75, waited: 100, tone: "busy" })
    expect(tracks[1]?.bars[0]).toMatchObject({ left: 0, width: 25, waited: 50, tone: "good" })
  })

  it("colours by what came of it", () => {
    const tones = [
      { status: 200 },
      { status: 409 },
      { status: 503 },
      { status: 403 },
      { outcome: "failed", status: null },
      { outcome: "cut", status: null },
    ] as const
    expect(tones.map((over) => requestTone(request(over)))).toEqual([
      "good",
      "warn",
      "warn",
      "bad",
      "bad",
      "wait",
    ])
  })
})

describe("small things", () => {
  it("reads the log position out of an offset", () => {
    expect(["26854520_3", "4294967296_0", "0_0", "-1", "0_inf", null].map(lsnOfOffset)).toEqual([
      "0/199C478",
      "1/0",
      null,
      null,
      null,
      null,
    ])
  })

  it("quotes names in its statements and passes what a person types as a parameter", () => {
    const odd = { name: 'we"ird', from: "x", columns: {}, primaryKey: ["a", "b"], indexes: [] }
    expect(rowsSql(odd, 5)).toContain('from "we""ird" t')
    expect(rowsSql(odd, 5)).toContain('array["a"::text, "b"::text]')
    expect(countsSql({ ...graph, tables: { odd } })).toContain('"we""ird"')
  })
})

describe("the bug report", () => {
  it("tells what happened and names nobody", () => {
    const failing = instance(graph, {
      key: `company-${acme}`,
      node: "companies",
      bindings: { id: acme },
      state: "Backoff",
      attempt: 3,
      error: { reason: "ShapeRejected", message: `no row for '${birch}', ask ann@example.org` },
    })
    const redactor = makeRedactor()
    redactor.learn([acme])
    const text = bugReport(
      {
        graph: "examples",
        status: statusOf(graph, [failing]),
        phase: "ready",
        isLeader: true,
        journal: [line(1, 5, failing.key, "failed", `ShapeRejected: ${birch}`)],
        requests: [
          request({ key: failing.key, outcome: "failed", failure: `Network: ${acme}`, status: null }),
        ],
        about: null,
        browser: "a browser",
        at: 0,
      },
      redactor,
    )
    for (const secret of [acme, birch, "ann@example.org", "app.test"]) expect(text).not.toContain(secret)
    for (const told of ["Backoff, attempt 3", "ShapeRejected", "live failed", "1 Backoff"])
      expect(text).toContain(told)
    expect(text).toMatch(/company-‹\d›/)
  })
})

describe("the control of faults over HTTP", () => {
  it("sends the token only where it was given, and rejects with the server's words", async () => {
    const asked: Array<readonly [string, string, string | null]> = []
    const answers = [
      Response.json({ faults: [{ id: "1", kind: "drop", happened: 2 }] }),
      Response.json({ id: "2" }, { status: 201 }),
      Response.json({ code: "bad_request", message: "latency needs millis" }, { status: 400 }),
    ]
    const fetch: typeof globalThis.fetch = async (input, init) => {
      asked.push([init?.method ?? "GET", String(input), new Headers(init?.headers).get("x-espalier-dev")])
      return answers.shift() ?? new Response(null, { status: 204 })
    }
    const control = httpFaults({ url: "/faults", token: "t", fetch })
    expect(await control.list()).toHaveLength(1)
    await control.add({ kind: "drop" })
    await expect(control.add({ kind: "latency" })).rejects.toThrow("latency needs millis")
    await httpFaults({ url: "/faults", fetch }).remove("a b")
    expect(asked).toEqual([
      ["GET", "/faults", "t"],
      ["POST", "/faults", "t"],
      ["POST", "/faults", "t"],
      ["DELETE", "/faults?id=a%20b", null],
    ])
  })
})

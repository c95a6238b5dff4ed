import type { EngineStatus } from "@espalier/engine/protocol"
import { afterEach, assert, beforeEach, describe, it, vi } from "vitest"
import { CallFailed, ClientClosed, HostFailed, HostUnavailable } from "../src/client/errors.ts"
import { LeaderLink, type LinkOptions } from "../src/client/LeaderLink.ts"
import type { HostPhase } from "../src/contract.ts"
import {
  announcementChannel,
  leaderChannel,
  protocolVersion,
  tabChannel,
  type Announcement,
  type Answer,
  type LeaderState,
  type TabMessage,
} from "../src/protocol.ts"
import { makeMemoryWires, type MemoryWires } from "./support/memoryWires.ts"

const name = "db"
const status = (generation: number, pauseReasons: EngineStatus["pauseReasons"] = []): EngineStatus => ({
  graph: "g",
  state: "live",
  nodes: {},
  progress: { instances: 0, complete: 0, live: 0, rows: 0, bytes: 0, requests: 0 },
  instances: {},
  connections: { open: 0, max: 4, waiting: 0 },
  pauseReasons,
  ready: true,
  generation,
})

/** A leader under the test's control. */
const makeLeader = (wires: MemoryWires, epoch: string, leaderTabId = "other") => {
  const heard: Array<TabMessage> = []
  const all = wires.open<never, Announcement>(announcementChannel(name), () => undefined)
  const requests = wires.open<TabMessage, never>(leaderChannel(name), (message) => heard.push(message))
  const one = wires.open<never, Answer>(tabChannel(name, "tab"), () => undefined)
  const state = (phase: HostPhase, more: Partial<LeaderState> = {}): LeaderState => ({
    type: "leader",
    version: protocolVersion,
    epoch,
    tabId: leaderTabId,
    fingerprint: "print",
    phase,
    status: null,
    storage: null,
    chosen: { revision: 0, values: {} },
    ...more,
  })
  return {
    heard,
    announce: (phase: HostPhase, more?: Partial<LeaderState>) => all.post(state(phase, more)),
    welcome: (phase: HostPhase, more?: Partial<LeaderState>) => one.post(state(phase, more)),
    say: (message: Announcement) => all.post(message),
    answer: (callId: number, value: unknown) =>
      one.post({ type: "result", epoch, callId, outcome: { ok: true, value } }),
    refuse: (callId: number, code: string, message: string) =>
      one.post({ type: "result", epoch, callId, outcome: { ok: false, name: code, message } }),
    die: () => {
      all.close()
      requests.close()
      one.close()
    },
  }
}

describe("LeaderLink", () => {
  let wires: MemoryWires
  let link: LeaderLink
  const start = (more: Partial<LinkOptions> = {}): LeaderLink => {
    link = new LeaderLink({
      name,
      tabId: "tab",
      fingerprint: "print",
      params: { userId: "7", company: "1" },
      tables: ["folders", "groups"],
      visible: true,
      open: wires.open,
      startTimeoutMillis: 1_000,
      callTimeoutMillis: 500,
      ...more,
    })
    return link
  }
  const settle = () => vi.advanceTimersByTimeAsync(0)
  const ready: HostPhase = { phase: "ready" }

  beforeEach(() => {
    vi.useFakeTimers()
    wires = makeMemoryWires()
  })
  afterEach(() => {
    link.close()
    vi.useRealTimers()
    vi.unstubAllGlobals()
  })

  it("greets a running leader and takes over its phase and status", async () => {
    const leader = makeLeader(wires, "e1")
    start().connect()
    await settle()
    assert.deepEqual(
      leader.heard.map((message) => message.type),
      ["hello"],
    )
    leader.welcome(ready, { status: status(3) })
    await settle()
    assert.deepEqual(link.phase, ready)
    assert.equal(link.status?.generation, 3)
    assert.isFalse(link.isLeader)
  })

  it("tells a leader that starts later everything it holds", async () => {
    start().connect()
    link.acquire({ node: "folders" })
    const released = link.acquire({ node: "groups" })
    released.release()
    await settle()
    const leader = makeLeader(wires, "e1", "tab")
    leader.announce({ phase: "starting", step: "database" })
    await settle()
    assert.deepEqual(leader.heard, [
      { type: "hello", tabId: "tab", visible: true, leases: [{ leaseId: 1, request: { node: "folders" } }] },
    ])
    assert.isTrue(link.isLeader)
  })

  it("repeats leases and open calls to the next leader, and reports every table as changed once it is ready", async () => {
    const commits: Array<ReadonlyArray<string>> = []
    const first = makeLeader(wires, "e1")
    start().connect()
    link.commits.add((notice) => commits.push(notice.tables))
    first.announce(ready)
    link.acquire({ node: "folders" })
    const answer = link.call("refetch", ["company-1"])
    await settle()
    assert.equal(first.heard.filter((message) => message.type === "call").length, 1)
    first.die()
    const second = makeLeader(wires, "e2")
    second.announce({ phase: "starting", step: "schema" })
    await settle()
    assert.deepEqual(
      second.heard.map((message) => message.type),
      ["hello"],
    )
    assert.deepEqual(commits, [])
    second.say({ type: "phase", epoch: "e2", phase: ready })
    await settle()
    assert.deepEqual(second.heard.at(-1), {
      type: "call",
      tabId: "tab",
      callId: 1,
      name: "refetch",
      args: ["company-1"],
    })
    assert.deepEqual(commits, [["folders", "groups"]])
    second.answer(1, true)
    assert.equal(await answer, true)
  })

  it("follows the parameters of the leader and brings them to the next one, which may know older ones", async () => {
    const seen: Array<Readonly<Record<string, string>>> = []
    const first = makeLeader(wires, "e1")
    start().connect()
    link.params.changes.add((params) => seen.push(params))
    first.announce(ready, { chosen: { revision: 0, values: { company: "1" } } })
    await settle()
    first.say({ type: "params", epoch: "e1", chosen: { revision: 1, values: { company: "2" } } })
    await settle()
    assert.deepEqual(link.params.values, { userId: "7", company: "2" })
    first.die()
    const second = makeLeader(wires, "e2")
    second.announce(
      { phase: "starting", step: "schema" },
      { chosen: { revision: 0, values: { company: "9" } } },
    )
    await settle()
    const hello = second.heard.find((message) => message.type === "hello")
    assert.deepEqual(hello?.chosen, { revision: 1, values: { company: "2" } })
    assert.deepEqual(link.params.values, { userId: "7", company: "2" })
    assert.deepEqual(seen, [{ userId: "7", company: "2" }])
  })

  it("ignores what a leader says after it was succeeded", async () => {
    const first = makeLeader(wires, "e1")
    start().connect()
    first.announce(ready, { status: status(1) })
    await settle()
    makeLeader(wires, "e2").announce(ready, { status: status(2) })
    await settle()
    first.say({ type: "status", epoch: "e1", status: status(99) })
    first.announce({ phase: "failed", message: "old news" })
    await settle()
    assert.equal(link.status?.generation, 2)
    assert.deepEqual(link.phase, ready)
  })

  it("sends no call before the leader is ready", async () => {
    const leader = makeLeader(wires, "e1")
    start().connect()
    leader.announce({ phase: "starting", step: "engine" })
    const answer = link.call("journal", [])
    await settle()
    assert.equal(leader.heard.filter((message) => message.type === "call").length, 0)
    leader.say({ type: "phase", epoch: "e1", phase: ready })
    await settle()
    leader.answer(1, [])
    assert.deepEqual(await answer, [])
  })

  it("fails a call that nobody answers with HostUnavailable", async () => {
    start().connect()
    const outcome = link.call("retry", ["k"]).catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(501)
    const error = await outcome
    assert.instanceOf(error, HostUnavailable)
    assert.match(error.message, /"retry" within 500 ms/)
  })

  it("passes on the engine's refusal with its tag", async () => {
    const leader = makeLeader(wires, "e1")
    start().connect()
    leader.announce(ready)
    await settle()
    const outcome = link.call("holders", ["t", ["1"]]).catch((error: unknown) => error)
    await settle()
    leader.refuse(1, "StoreError", "local store failed")
    const error = await outcome
    assert.instanceOf(error, CallFailed)
    assert.equal(error.code, "StoreError")
  })

  it("becomes failed when the start makes no progress, and recovers when it does after all", async () => {
    const leader = makeLeader(wires, "e1")
    start().connect()
    await vi.advanceTimersByTimeAsync(900)
    leader.announce({ phase: "starting", step: "database" })
    await vi.advanceTimersByTimeAsync(900)
    assert.deepEqual(link.phase, { phase: "starting", step: "database" })
    await vi.advanceTimersByTimeAsync(200)
    assert.equal(link.phase.phase, "failed")
    assert.isFalse(link.isFinal)
    leader.say({ type: "phase", epoch: "e1", phase: ready })
    await settle()
    assert.deepEqual(link.phase, ready)
  })

  it("is failed for good when its own worker's start failed, and says goodbye", async () => {
    const leader = makeLeader(wires, "e1", "tab")
    start().connect()
    leader.announce({ phase: "failed", message: "no space left" })
    await settle()
    leader.say({ type: "phase", epoch: "e1", phase: ready })
    await settle()
    assert.deepEqual(link.phase, { phase: "failed", message: "no space left" })
    assert.isTrue(link.isFinal)
    assert.equal(leader.heard.at(-1)?.type, "bye")
    const error = await link.call("journal", []).catch((refusal: unknown) => refusal)
    assert.instanceOf(error, HostFailed)
  })

  it("recovers from another tab's failed start when the next leader starts", async () => {
    const first = makeLeader(wires, "e1")
    start().connect()
    first.announce({ phase: "failed", message: "no space left" })
    await settle()
    assert.equal(link.phase.phase, "failed")
    makeLeader(wires, "e2", "tab").announce(ready)
    await settle()
    assert.deepEqual(link.phase, ready)
  })

  it("refuses a leader of another user, graph or version", async () => {
    const leader = makeLeader(wires, "e1")
    start().connect()
    leader.announce(ready, { fingerprint: "another user", status: status(1) })
    await settle()
    assert.equal(link.phase.phase, "failed")
    assert.isNull(link.status)
    link.close()
    start().connect()
    leader.announce(ready, { version: protocolVersion + 1 })
    await settle()
    assert.match(JSON.stringify(link.phase), /different version/)
  })

  it("repeats a pause by hand to the next leader", async () => {
    const first = makeLeader(wires, "e1")
    start().connect()
    first.announce(ready, { status: status(1, ["manual"]) })
    await settle()
    first.die()
    const second = makeLeader(wires, "e2")
    second.announce(ready)
    await settle()
    assert.deepEqual(second.heard.at(-1), {
      type: "call",
      tabId: "tab",
      callId: 1,
      name: "pause",
      args: ["manual"],
    })
  })

  it("repeats the credentials it gave to the next leader, and to that one only", async () => {
    const first = makeLeader(wires, "e1")
    start().connect()
    first.announce(ready)
    await settle()
    const secret = { headers: { authorization: "Bearer 7" } }
    void link.call("setCredentials", [secret]).catch(() => undefined)
    await settle()
    first.answer(1, true)
    first.die()
    const second = makeLeader(wires, "e2")
    second.announce(ready)
    await settle()
    const given = second.heard.filter((message) => message.type === "call")
    assert.deepEqual(
      given.map((message) => [message.name, message.args]),
      [["setCredentials", [secret]]],
    )
  })

  it("ends every open call and sends nothing more once it is closed", async () => {
    const leader = makeLeader(wires, "e1")
    start().connect()
    leader.announce(ready)
    await settle()
    const outcome = link.call("wipe", []).catch((error: unknown) => error)
    link.close()
    assert.instanceOf(await outcome, ClientClosed)
    link.acquire({ node: "folders" })
    await settle()
    assert.equal(leader.heard.at(-1)?.type, "bye")
    assert.deepEqual(link.phase, { phase: "closed" })
    assert.equal(vi.getTimerCount(), 0)
  })

  it("keeps calling the other listeners when one throws", async () => {
    const reported: Array<unknown> = []
    vi.stubGlobal("reportError", (error: unknown) => reported.push(error))
    const seen: Array<HostPhase> = []
    const leader = makeLeader(wires, "e1")
    start().connect()
    link.phases.add(() => {
      throw new Error("listener")
    })
    link.phases.add((phase) => seen.push(phase))
    leader.announce(ready)
    await settle()
    assert.deepEqual(seen, [ready])
    assert.equal(reported.length, 1)
  })
})

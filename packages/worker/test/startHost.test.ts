import type { PGlite } from "@electric-sql/pglite"
import { Credentials, Engine, LocalStore, makeCredentials, StoreError } from "@espalier/engine"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { afterEach, assert, beforeEach, describe, it, vi } from "vitest"
import { graph } from "../../engine/examples/workspaces.graph.ts"
import { CallFailed } from "../src/client/errors.ts"
import type { HostPhase, HostSettings } from "../src/contract.ts"
import { startHost, type HostParts, type RunningHost } from "../src/host/startHost.ts"
import { dataLock, leaderChannel, type TabMessage } from "../src/protocol.ts"
import { chosenGraph } from "./support/chosenGraph.ts"
import { makeMemoryWires, type MemoryWires } from "./support/memoryWires.ts"
import { openPageHalf, type PageHalf } from "./support/pageHalf.ts"
import { makeScriptedEngine, type ScriptedEngine } from "./support/scriptedEngine.ts"

const settings: HostSettings = {
  name: "workspaces-7",
  dataDir: "idb://workspaces-7",
  graph,
  params: { userId: "7" },
  source: { kind: "gateway", url: "/v1/shape" },
}

// The host only hands the database on; no test here queries it.
const database = {} as PGlite

describe("startHost", () => {
  let wires: MemoryWires
  let engine: ScriptedEngine
  let hosts: Array<RunningHost>
  let pages: Array<PageHalf>

  const parts = (more: Partial<HostParts> = {}): HostParts => ({
    openDatabase: () => Promise.resolve({ pglite: database, syncToFs: () => Promise.resolve() }),
    store: () => Layer.mock(LocalStore)({}),
    engine: () => Layer.succeed(Engine, engine.service),
    ...more,
  })
  const lead = (
    tabId: string,
    epoch: string,
    more: Partial<HostParts> = {},
    own: HostSettings = settings,
  ) => {
    const host = startHost({ tabId, settings: own }, parts(more), wires.environment, epoch)
    hosts.push(host)
    return host
  }
  const page = (tabId: string, own: HostSettings = settings): PageHalf => {
    const half = openPageHalf(wires, own, tabId)
    pages.push(half)
    return half
  }
  const held = (): Record<string, number> => Object.fromEntries(engine.held)

  beforeEach(async () => {
    wires = makeMemoryWires()
    engine = await Effect.runPromise(makeScriptedEngine)
    hosts = []
    pages = []
  })
  afterEach(async () => {
    for (const half of pages) half.link.close()
    await Promise.all(hosts.map((host) => host.dispose()))
  })

  it("announces each step in order and ends ready, with the database", async () => {
    const phases: Array<HostPhase> = []
    const { link } = page("a")
    link.phases.add((phase) => phases.push(phase))
    const host = lead("a", "e1")
    assert.equal(await host.database, database)
    await wires.settle()
    assert.deepEqual(phases, [
      { phase: "starting", step: "database" },
      { phase: "starting", step: "schema" },
      { phase: "starting", step: "engine" },
      { phase: "ready" },
    ])
    assert.isTrue(link.isLeader)
    assert.equal(link.status?.graph, "scripted")
  })

  it("gives the engine leases made before it was ready, and a late tab the current status", async () => {
    const early = page("a")
    early.link.acquire({ node: "folders" })
    await lead("a", "e1").database
    await wires.settle()
    assert.deepEqual(held(), { folders: 1 })
    const late = page("b")
    late.link.acquire({ node: "folders" })
    await wires.settle()
    assert.deepEqual(held(), { folders: 2 })
    assert.deepEqual(late.link.phase, { phase: "ready" })
    assert.isFalse(late.link.isLeader)
    await vi.waitFor(() => assert.equal(late.link.status?.instances["folders"]?.leases, 2))
  })

  it("ends the leases of a tab that is closed and of one that vanishes", async () => {
    await lead("a", "e1").database
    const [first, second, third] = [page("a"), page("b"), page("c")]
    for (const half of [first, second, third]) half.link.acquire({ node: "folders" })
    await wires.settle()
    assert.deepEqual(held(), { folders: 3 })
    second.link.close()
    await wires.settle()
    assert.deepEqual(held(), { folders: 2 })
    third.vanish()
    await wires.settle()
    assert.deepEqual(held(), { folders: 1 })
  })

  it("releases a lease once its holder lets go", async () => {
    await lead("a", "e1").database
    const { link } = page("a")
    const lease = link.acquire({ node: "folders" })
    await wires.settle()
    lease.release()
    lease.release()
    await wires.settle()
    assert.deepEqual(held(), {})
  })

  it("hands over: the next leader gets the leases, and a call in flight is answered by it", async () => {
    const first = lead("a", "e1")
    await first.database
    const leaderTab = page("a")
    const follower = page("b")
    follower.link.acquire({ node: "folders" })
    await wires.settle()
    const before = engine
    engine = await Effect.runPromise(makeScriptedEngine)
    leaderTab.vanish()
    await first.dispose()
    hosts.length = 0
    assert.deepEqual(Object.fromEntries(before.held), {})
    const answer = follower.link.call("refetch", ["company-1"])
    await wires.settle()
    wires.release(dataLock(settings.dataDir))
    await lead("b", "e2").database
    assert.isTrue(await answer)
    await wires.settle()
    assert.deepEqual(held(), { folders: 1 })
    assert.deepEqual(engine.asked, ["refetch company-1"])
    assert.isTrue(follower.link.isLeader)
  })

  it("runs commands, and answers a refusal by its tag", async () => {
    await lead("a", "e1").database
    const { link } = page("a")
    await wires.settle()
    assert.isFalse(await link.call("refetch", ["unknown"]))
    assert.deepEqual(await link.call("holders", ["folders", ["1"]]), ["folders-holder"])
    const error = await link.call("holders", ["broken", ["1"]]).catch((refusal: unknown) => refusal)
    assert.instanceOf(error, CallFailed)
    assert.equal(error.code, "StoreError")
    const unknown = await link.call("later" as "wipe", []).catch((refusal: unknown) => refusal)
    assert.instanceOf(unknown, CallFailed)
    assert.equal(unknown.code, "UnknownCall")
  })

  it("gives credentials to the engine's requests, in answer to a tab and nowhere else", async () => {
    const given: Array<unknown> = []
    const credentials = Effect.map(makeCredentials({}), (made) => ({
      ...made,
      set: (value: object) => Effect.tap(made.set(value), () => Effect.sync(() => given.push(value))),
    }))
    const engineWith = () =>
      Layer.mergeAll(Layer.succeed(Engine, engine.service), Layer.effect(Credentials, credentials))
    await lead("a", "e1", { engine: engineWith }).database
    const [first, second] = [page("a"), page("b")]
    await wires.settle()
    const secret = { headers: { authorization: "Bearer 7" } }
    assert.isTrue(await second.link.call("setCredentials", [secret]))
    assert.deepEqual(given, [secret])
    assert.notInclude(JSON.stringify([first.link.status, second.link.status]), "Bearer 7")
  })

  describe("parameters of the client", () => {
    const from = (company: string): HostSettings => ({
      ...settings,
      graph: chosenGraph,
      params: { userId: "7", company },
    })
    /** Notes with which parameters the engine was started. */
    const started: Array<HostSettings["params"]> = []
    const noting: Partial<HostParts> = {
      // An open takes its time: the tabs have said hello by then.
      openDatabase: async () => {
        await wires.settle()
        return { pglite: database, syncToFs: () => Promise.resolve() }
      },
      engine: (own) => {
        started.push(own.params)
        return Layer.succeed(Engine, engine.service)
      },
    }

    it("hold for every tab, whichever set them, and a refusal changes nothing", async () => {
      await lead("a", "e1", noting, from("1")).database
      const [first, second] = [page("a", from("1")), page("b", from("5"))]
      await wires.settle()
      assert.deepEqual(second.link.params.values, { userId: "7", company: "1" })
      assert.isTrue(await second.link.call("setParams", [{ company: "2" }]))
      await wires.settle()
      assert.deepEqual(engine.asked, [`setParams {"company":"2"}`])
      assert.deepEqual(first.link.params.values, { userId: "7", company: "2" })
      assert.deepEqual(second.link.params.values, { userId: "7", company: "2" })
      const refusal = await first.link
        .call("setParams", [{ userId: "8" }])
        .catch((refused: unknown) => refused)
      assert.instanceOf(refusal, CallFailed)
      assert.equal(refusal.code, "CompileError")
      await wires.settle()
      assert.deepEqual(second.link.params.values, { userId: "7", company: "2" })
    })

    it("start the next leader's engine, although the tab that set them is gone", async () => {
      const before = lead("a", "e1", noting, from("1"))
      await before.database
      const setter = page("a", from("1"))
      const follower = page("b", from("9"))
      await wires.settle()
      await setter.link.call("setParams", [{ company: "3" }])
      await wires.settle()
      setter.vanish()
      await before.dispose()
      hosts.length = 0
      wires.release(dataLock(settings.dataDir))
      started.length = 0
      await lead("b", "e2", noting, from("9")).database
      await wires.settle()
      assert.deepEqual(started.at(-1), { userId: "7", company: "3" })
      assert.deepEqual(follower.link.params.values, { userId: "7", company: "3" })
    })

    it("reach an engine that runs when a tab brings them late, and older ones do not", async () => {
      await lead("a", "e1", noting, from("1")).database
      const { link } = page("a", from("1"))
      const late = wires.open<never, TabMessage>(leaderChannel(settings.name), () => undefined)
      const bring = async (revision: number, company: string): Promise<void> => {
        const chosen = { revision, values: { company } }
        late.post({ type: "hello", tabId: "late", visible: true, leases: [], chosen })
        await wires.settle()
      }
      await bring(4, "4")
      await bring(3, "3")
      assert.deepEqual(engine.asked, [`setParams {"company":"4"}`])
      assert.deepEqual(link.params.values, { userId: "7", company: "4" })
    })
  })

  it("passes a repeated pause and resume to the engine once", async () => {
    await lead("a", "e1").database
    const { link } = page("a")
    await wires.settle()
    await link.call("pause", ["manual"])
    await link.call("pause", ["manual"])
    await link.call("resume", ["manual"])
    await link.call("resume", ["manual"])
    assert.deepEqual(engine.asked, ["pause manual", "resume manual"])
  })

  it("passes commits on to every tab", async () => {
    await lead("a", "e1").database
    const seen: Array<string> = []
    for (const tabId of ["a", "b"]) {
      page(tabId).link.commits.add((notice) => seen.push(`${tabId}: ${notice.tables.join()}`))
    }
    await wires.settle()
    await Effect.runPromise(engine.commit(["folders"]))
    await wires.settle()
    assert.deepEqual(seen, ["a: folders", "b: folders"])
  })

  const failures: ReadonlyArray<readonly [string, Partial<HostParts>, Partial<HostSettings>, RegExp]> = [
    [
      "a database that does not open",
      { openDatabase: () => Promise.reject(new Error("QuotaExceededError")) },
      {},
      /database idb:\/\/workspaces-7 did not open: QuotaExceededError.*free space/,
    ],
    [
      "a schema that cannot be applied",
      {
        store: () =>
          Layer.effect(
            LocalStore,
            Effect.fail(
              new StoreError({ operation: "migrate", kind: "schema", cause: new Error("no type x") }),
            ),
          ),
      },
      {},
      /local store failed in migrate \(schema\): no type x/,
    ],
    [
      "an engine that dies",
      { engine: () => Layer.effect(Engine, Effect.die(new Error("defect"))) },
      {},
      /defect/,
    ],
    [
      "a graph that is not one",
      {},
      { graph: { name: 3 } as never },
      /graph handed to the worker is not valid/,
    ],
    [
      "a setting that does not exist",
      {},
      { config: { maxConections: 3 } },
      /maxConections = 3.*Known names: maxConnections/,
    ],
  ]
  for (const [what, broken, change, message] of failures) {
    it(`tells every tab, early or late, of ${what}`, async () => {
      const own = { ...settings, ...change }
      const early = "graph" in change ? null : page("a", own)
      lead("a", "e1", broken, own)
      await wires.settle()
      if (early !== null) {
        assert.equal(early.link.phase.phase, "failed")
        assert.match(JSON.stringify(early.link.phase), message)
      }
      const said = wires.posted
        .map((entry) => JSON.stringify(entry.message))
        .filter((text) => text.includes("failed"))
      assert.match(said[0] ?? "", message)
      if (early === null) return
      const late = page("b", own)
      await wires.settle()
      assert.deepEqual(late.link.phase, early.link.phase)
    })
  }

  it("refuses a data directory that another name holds", async () => {
    await lead("a", "e1").database
    const other = { ...settings, name: "another name" }
    const { link } = page("b", other)
    lead("b", "e2", {}, other)
    await wires.settle()
    assert.match(JSON.stringify(link.phase), /failed.*idb:\/\/workspaces-7 is open under another name/)
  })
})

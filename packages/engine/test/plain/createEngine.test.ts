/** The plain surface: what it returns, what ends what, and that closing leaves nothing running. Real clock, memory adapters. */
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Scope } from "effect"
import { type HostSignal, LocalStore, ShapeSource, StoreError } from "@espalier/engine"
import { makeMemoryStore, ScriptedShapeSource } from "@espalier/engine/memory"
import { createEngine, type CreateEngineOptions } from "@espalier/engine/plain"
import { graph } from "../../examples/teams.graph.ts"
import { batch, insert, snapshotEnd } from "../../src/testing/messages.ts"

const rowsOf = (node: string, id: string) => {
  if (node === "mine") return [insert("seats", { id: "s1", team_id: "red", user_id: "ada" })]
  if (node === "teams") return [insert("teams", { id, name: id })]
  return [insert("notes", { id: `n-${id}`, team_id: id, text: "" })]
}

/** An engine on memory adapters whose source answers every shape once. */
const open = async (over: Partial<CreateEngineOptions> = {}) => {
  const context = await Effect.runPromise(Layer.buildWithScope(ScriptedShapeSource.layer, Scope.makeUnsafe()))
  const source = Context.get(context, ScriptedShapeSource)
  await Effect.runPromise(
    source.onAnyStart(({ instance, resume }) => {
      if (resume !== null) return []
      const id = instance.bindings["id"] ?? instance.bindings["team_id"] ?? "red"
      return [
        batch({
          handle: `h-${instance.key}`,
          offset: "0_0",
          messages: [...rowsOf(instance.node, id), snapshotEnd()],
        }),
      ]
    }),
  )
  const { store } = await Effect.runPromise(makeMemoryStore({ graph }))
  const engine = await createEngine({
    graph,
    params: { userId: "ada", teamId: "red" },
    source: { layer: Layer.succeed(ShapeSource, Context.get(context, ShapeSource)) },
    store: { layer: Layer.succeed(LocalStore, store) },
    limits: { statusIntervalMillis: 1 },
    ...over,
  })
  return { engine, source, store }
}

const live = { signal: AbortSignal.timeout(10_000) }

describe("createEngine", () => {
  it("becomes live, answers questions, and leaves no run when `await using` ends", async () => {
    const { engine, source } = await open()
    {
      await using running = engine
      const status = await running.until(({ state }) => state === "live", live)
      expect(status.progress).toMatchObject({ instances: 3, complete: 3, live: 3, rows: 3 })
      expect(running.status().state).toBe("live")
      expect(running.explain("team-red").why).toEqual(["Rows held by user-ada-seats demand it."])
      expect((await running.explainRow("teams", ["red"])).heldBy.map(({ key }) => key)).toEqual(["team-red"])
      expect(running.journal().length).toBeGreaterThan(0)
      expect(await running.retry("nobody")).toBe(false)
      expect(source.running().length).toBe(3)
    }
    expect(source.running()).toEqual([])
  })

  it("runs an instance on demand while a lease is held: by `using`, by release, or until its signal is aborted", async () => {
    const { engine } = await open()
    await using _closing = engine
    const leases = () => engine.status().instances["team-red-notes"]?.leases ?? 0
    {
      using _lease = engine.acquire({ node: "notes" })
      await engine.until(({ instances }) => instances["team-red-notes"]?.state === "Live", live)
      expect(leases()).toBe(1)
    }
    await engine.until(() => leases() === 0, live)
    const lease = engine.acquire({ node: "notes" })
    await engine.until(() => leases() === 1, live)
    lease.release()
    lease.release()
    await engine.until(() => leases() === 0, live)
    const controller = new AbortController()
    engine.acquire({ node: "notes" }, { signal: controller.signal })
    await engine.until(() => leases() === 1, live)
    controller.abort()
    await engine.until(() => leases() === 0, live)
  })

  it("pauses by name until released, and resumes", async () => {
    const { engine, source } = await open()
    await using _closing = engine
    await engine.until(({ state }) => state === "live", live)
    const pause = engine.pause()
    await engine.until(({ pauseReasons }) => pauseReasons.includes("manual"), live)
    await expect.poll(() => source.running()).toEqual([])
    pause.release()
    await expect.poll(() => source.running().length).toBeGreaterThan(0)
  })

  it("changes client parameters and rejects others with the engine's own error", async () => {
    const { engine } = await open()
    await using _closing = engine
    await engine.setParams({ teamId: "blue" })
    await engine.until(({ instances }) => instances["open-blue"]?.state === "Live", live)
    await expect(engine.setParams({ userId: "eve" })).rejects.toMatchObject({ name: "CompileError" })
  })

  it("ends iterations and waits with their signal, and all of them when it closes", async () => {
    const { engine } = await open()
    const controller = new AbortController()
    const seen: Array<string> = []
    const reading = (async () => {
      for await (const { state } of engine.statusChanges({ signal: controller.signal })) seen.push(state)
      return "ended"
    })()
    await engine.until(({ state }) => state === "live", live)
    const never = engine.until(() => false, { signal: controller.signal })
    controller.abort(new Error("enough"))
    await expect(never).rejects.toThrow("enough")
    expect(await reading).toBe("ended")
    expect(seen.length).toBeGreaterThan(0)
    const waiting = engine.until(() => false)
    const commits = (async () => {
      let count = 0
      for await (const notice of engine.commits()) count += notice.tables.length
      return count
    })()
    await engine.close()
    await expect(waiting).rejects.toThrow("closed")
    expect(await commits).toBe(0)
    await engine.close()
  })

  it("closes when the signal it was made with is aborted", async () => {
    const controller = new AbortController()
    const { engine, source } = await open({ signal: controller.signal })
    await engine.until(({ state }) => state === "live", live)
    controller.abort()
    await expect.poll(() => source.running()).toEqual([])
  })

  it("follows the host it is told of, and keeps its last word when that ends", async () => {
    async function* host(): AsyncGenerator<HostSignal> {
      yield { online: false, visible: true }
      throw new Error("gone")
    }
    const { engine, source } = await open({ host: host() })
    await using _closing = engine
    await engine.until(({ state }) => state === "offline", live)
    await expect.poll(() => source.running()).toEqual([])
  })

  it("rejects when the store cannot be read", async () => {
    const { store } = await Effect.runPromise(makeMemoryStore({ graph }))
    const broken = LocalStore.of({
      ...store,
      instances: Effect.fail(
        new StoreError({ operation: "instances", kind: "unavailable", cause: new Error("no disk") }),
      ),
    })
    await expect(open({ store: { layer: Layer.succeed(LocalStore, broken) } })).rejects.toMatchObject({
      _tag: "StoreError",
    })
  })
})

/** `pnpm graph --live` against the inspector of a running engine, and what the inspector refuses. */
import { execFile } from "node:child_process"
import { request } from "node:http"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Scope } from "effect"
import { LocalStore, ShapeSource } from "@espalier/engine"
import { serveInspector } from "@espalier/engine/inspector"
import { makeMemoryStore, ScriptedShapeSource } from "@espalier/engine/memory"
import { createEngine } from "@espalier/engine/plain"
import { Network } from "@espalier/engine/protocol"
import { graph } from "../../examples/teams.graph.ts"
import { batch, insert, snapshotEnd } from "../../src/testing/messages.ts"

const command = fileURLToPath(new URL("../../src/cli/graph.ts", import.meta.url))

/** Not `spawnSync`: the inspector lives in this process. */
const live = (...args: ReadonlyArray<string>) =>
  new Promise<{ readonly status: number; readonly stdout: string; readonly stderr: string }>((resolve) => {
    execFile(process.execPath, [command, ...args], (error, stdout, stderr) =>
      resolve({ status: typeof error?.code === "number" ? error.code : 0, stdout, stderr }),
    )
  })

/** One team, live; the open team's notes fail. */
const inspected = async () => {
  const context = await Effect.runPromise(Layer.buildWithScope(ScriptedShapeSource.layer, Scope.makeUnsafe()))
  const source = Context.get(context, ScriptedShapeSource)
  const { store } = await Effect.runPromise(makeMemoryStore({ graph }))
  const snapshot = (key: string, message: ReturnType<typeof insert>) =>
    batch({ handle: `h-${key}`, offset: "0_0", messages: [message, snapshotEnd()] })
  await Effect.runPromise(
    Effect.gen(function* () {
      const seat = insert("seats", { id: "s1", team_id: "red", user_id: "ada" })
      yield* source.onStart("user-ada-seats", [snapshot("mine", seat)])
      yield* source.onStart("team-red", [snapshot("red", insert("teams", { id: "red", name: "Red" }))])
      yield* source.onStart("open-red", [
        { _tag: "Fail", reason: new Network({ message: "connection refused" }) },
      ])
    }),
  )
  const engine = await createEngine({
    graph,
    params: { userId: "ada", teamId: "red" },
    source: { layer: Layer.succeed(ShapeSource, Context.get(context, ShapeSource)) },
    store: { layer: Layer.succeed(LocalStore, store) },
    limits: { backoffBaseMillis: 1_000_000, backoffCapMillis: 1_000_000 },
  })
  await engine.until(
    ({ instances }) => instances["team-red"]?.state === "Live" && instances["open-red"]?.state === "Backoff",
    { signal: AbortSignal.timeout(10_000) },
  )
  const inspector = await serveInspector(engine)
  return {
    url: inspector.url,
    [Symbol.asyncDispose]: async () => {
      await inspector.close()
      await engine.close()
    },
  }
}

/** A request whose headers the test chooses; `fetch` would not let it name another host. */
const ask = (url: string, options: { readonly method?: string; readonly host?: string }) =>
  new Promise<number>((resolve, reject) => {
    const headers = options.host === undefined ? {} : { host: options.host }
    request(url, { method: options.method ?? "GET", headers }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
      .once("error", reject)
      .end()
  })

describe("pnpm graph --live", () => {
  it("prints the state of a running engine, trouble first", async () => {
    await using engine = await inspected()
    const { status, stderr, stdout } = await live("--live", engine.url)
    expect([status, stderr]).toEqual([0, ""])
    expect(stdout).toContain("graph teams: loading")
    expect(stdout).toContain("2 of 3 instances live, 2 complete; 2 rows")
    expect(stdout).toMatch(/teams +teams +live +1\/1 +1/)
    const listed = stdout.slice(stdout.indexOf("instance "))
    expect(listed).toMatch(/open-red +Backoff .*Network: connection refused +again at 20/)
    expect(listed.indexOf("open-red")).toBeLessThan(listed.indexOf("team-red"))
  })

  it("explains one instance, and prints JSON for scripts", async () => {
    await using engine = await inspected()
    const { stdout } = await live("--live", engine.url, "--key", "team-red")
    expect(stdout).toContain("team-red: Live")
    expect(stdout).toContain("why    Rows held by user-ada-seats demand it.")
    expect(stdout).toContain("Initial → Live on UpToDate")
    const json = await live("--live", engine.url, "--json")
    expect(JSON.parse(json.stdout)).toMatchObject({ graph: "teams", progress: { instances: 3 } })
    const failed = await live("--live", engine.url, "--key", "open-red", "--json")
    expect(JSON.parse(failed.stdout)).toMatchObject({ waitingFor: "its next attempt" })
  })

  it.each([
    [["--live", "http://127.0.0.1:1"], "nothing answers at http://127.0.0.1:1"],
    [["--live", "somewhere"], "--live must be a URL"],
    [["--key", "team-red"], "--key needs --live"],
    [["file.ts", "--live", "http://127.0.0.1:1"], "ask one"],
  ])("says what is wrong with %j and ends with 2", async (args, words) => {
    const { status, stderr, stdout } = await live(...args)
    expect([status, stdout]).toEqual([2, ""])
    expect(stderr).toContain(words)
  })
})

describe("serveInspector", () => {
  it("says where a row comes from, and what happened", async () => {
    await using engine = await inspected()
    const row = await (await fetch(`${engine.url}/row?table=seats&pk=s1`)).json()
    expect(row).toMatchObject({ heldBy: [{ key: "user-ada-seats", state: "Live" }] })
    expect(await (await fetch(`${engine.url}/journal`)).json()).toContainEqual(
      expect.objectContaining({ key: "team-red", event: "start" }),
    )
  })

  it("refuses other hosts, other methods and unknown paths", async () => {
    await using engine = await inspected()
    expect(await ask(`${engine.url}/status`, { host: "evil.example" })).toBe(403)
    expect(await ask(`${engine.url}/status`, { method: "POST" })).toBe(405)
    expect(await ask(`${engine.url}/nothing`, {})).toBe(404)
    expect(await ask(`${engine.url}/status`, {})).toBe(200)
  })

  it("rejects when its port is taken", async () => {
    await using engine = await inspected()
    const port = Number(new URL(engine.url).port)
    const unused = { status: () => null, explain: () => null, explainRow: () => null, journal: () => [] }
    await expect(serveInspector(unused as never, { port })).rejects.toThrow("EADDRINUSE")
  })
})

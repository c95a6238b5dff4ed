/** The examples run as they stand, in processes of their own, and the collector of the OpenTelemetry one gets what it promises. */
import { execFile } from "node:child_process"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { describe, expect, it } from "@effect/vitest"

const run = promisify(execFile)
const example = (name: string): string => fileURLToPath(new URL(`../examples/${name}.ts`, import.meta.url))
const outputOf = async (name: string, env: Readonly<Record<string, string>> = {}): Promise<string> => {
  const { stdout } = await run(process.execPath, [example(name)], {
    env: { ...process.env, ...env },
    timeout: 50_000,
  })
  return stdout
}

/** Everything posted to a collector, by path. */
const collector = async () => {
  const bodies = new Map<string, string>()
  const server = createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const path = request.url ?? ""
      bodies.set(path, (bodies.get(path) ?? "") + Buffer.concat(chunks).toString())
      response.writeHead(200, { "content-type": "application/json" }).end("{}")
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    bodies,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.dispose]: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

describe("The examples", () => {
  it("plain.ts shows teams, leased notes, a change of parameters, and where a row comes from", async () => {
    const output = await outputOf("plain")
    expect(output).toContain("teams: [ { name: 'Blue' }, { name: 'Red' } ]")
    expect(output).toContain("notes of blue: [ { text: 'Prune the figs' } ]")
    expect(output).toContain("row n3 is held by open-blue")
  })

  it("effect.ts follows the status until the leased notes are live", async () => {
    const output = await outputOf("effect")
    expect(output).toContain("live 6/6")
    expect(output).toContain("Rows held by team-red demand it. 1 lease(s) ask for it.")
  })

  it("openTelemetry.ts sends spans of reconciling, committing and requesting, and the metrics", async () => {
    using otlp = await collector()
    await outputOf("openTelemetry", { OTLP_URL: otlp.url })
    const traces = otlp.bodies.get("/v1/traces") ?? ""
    for (const span of ["espalier.reconcile", "espalier.commit", "espalier.request"])
      expect(traces).toContain(`"${span}"`)
    const metrics = otlp.bodies.get("/v1/metrics") ?? ""
    for (const metric of ["espalier_instances", "espalier_requests_total", "espalier_commits_total"])
      expect(metrics).toContain(`"${metric}"`)
    expect(traces + metrics, "no address, whose query may carry a secret").not.toContain("/v1/shape")
  })
})

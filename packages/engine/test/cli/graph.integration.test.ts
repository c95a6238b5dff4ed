/** The `graph` command as a person or a script meets it. */
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, describe, expect, it } from "vitest"

const command = fileURLToPath(new URL("../../src/cli/graph.ts", import.meta.url))
const folder = mkdtempSync(join(tmpdir(), "espalier-graph-"))
afterAll(() => rmSync(folder, { recursive: true }))

const graph = (...args: ReadonlyArray<string>) => {
  const { status, stderr, stdout } = spawnSync(process.execPath, [command, ...args], {
    cwd: folder,
    encoding: "utf8",
  })
  return { status, stderr, stdout }
}

const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text)
  return name
}

describe("pnpm graph", () => {
  it("shows the demo's tree with keys, compiled conditions and policy", () => {
    const { status, stdout } = graph()
    expect(status).toBe(0)
    expect(stdout).toContain("key    company-{id}-people")
    expect(stdout).toContain("where  id IN (SELECT user_id FROM company_members WHERE company_id = $1)")
    expect(stdout).toContain("policy sync always, priority 10, kept 30000 ms")
  })

  it("shows a flowchart", () => {
    expect(graph("--format", "mermaid").stdout).toMatch(/^flowchart TD\n/)
  })

  it("writes JSON that it reads back", () => {
    const written = graph("--json")
    const again = graph(file("again.json", written.stdout), "--format", "json")
    expect(again).toEqual(written)
    expect(again.status).toBe(0)
  })

  const bad = JSON.stringify({
    name: "bad",
    tables: { t: { columns: { id: "uid" }, primaryKey: ["id"] } },
    nodes: { a: { table: "u", key: "" } },
  })

  it("prints all problems of an invalid graph and ends with 1", () => {
    const { status, stderr, stdout } = graph(file("bad.json", bad))
    expect([status, stdout]).toEqual([1, ""])
    for (const path of ["tables.t.columns.id: ", "nodes.a.table: ", "nodes.a.key: "])
      expect(stderr).toContain(path)
  })

  it("prints them as JSON for scripts", () => {
    const { status, stdout } = graph(file("bad.json", bad), "--json")
    expect(status).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({
      graph: "bad",
      problems: [{ path: "tables.t.columns.id" }, {}, {}],
    })
  })

  it("checks a module that skipped the check", () => {
    const { status, stderr } = graph(file("skipped.mjs", `export const graph = ${bad}`))
    expect([status, stderr]).toMatchObject([1, expect.stringContaining("nodes.a.table")])
  })

  it.each([
    [["nope.ts"], "no such file"],
    [[file("none.mjs", "export const other = 1")], 'exports no "graph"'],
    [[file("broken.json", "{")], "JSON"],
    [[file("throws.mjs", "throw new Error('boom')")], "boom"],
    [["--format", "svg"], "--format must be text, mermaid, json"],
    [["--nope"], "--nope"],
    [["a.ts", "b.ts"], "one FILE at most"],
  ])("says what is wrong with %j and ends with 2", (args, words) => {
    const { status, stderr, stdout } = graph(...args)
    expect([status, stdout]).toEqual([2, ""])
    expect(stderr).toContain(words)
    expect(stderr).not.toContain("    at ")
  })

  it("explains itself", () => {
    const { status, stdout } = graph("--help")
    expect([status, stdout]).toMatchObject([0, expect.stringContaining("Usage: graph")])
  })
})

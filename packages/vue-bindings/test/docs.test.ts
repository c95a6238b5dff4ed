// @vitest-environment node
import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"

const root = new URL("../../../", import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, root), "utf8")

const dedent = (lines: ReadonlyArray<string>): string => {
  const indents = lines
    .filter((line) => line.trim() !== "")
    .map((line) => line.length - line.trimStart().length)
  const least = Math.min(...indents)
  return lines.map((line) => line.slice(least)).join("\n")
}

const region = (path: string, name: string): string => {
  const lines = read(path).split("\n")
  const start = lines.findIndex((line) => line.trim() === `// #region ${name}`)
  const length = lines.slice(start + 1).findIndex((line) => line.trim() === "// #endregion")
  if (start === -1 || length === -1) throw new Error(`${path} has no region ${name}.`)
  return dedent(lines.slice(start + 1, start + 1 + length))
}

describe("docs/api.md", () => {
  const quotes = [...read("docs/api.md").matchAll(/<!-- (\S+)#(\S+) -->\n\n```ts\n([\s\S]*?)\n```/g)]

  it("quotes examples", () => expect(quotes.length).toBeGreaterThan(6))

  it.each(quotes.map(([, path = "", name = "", text = ""]) => ({ path, name, text })))(
    "quotes $path#$name as it is",
    ({ path, name, text }) => expect(text).toBe(region(path, name)),
  )
})

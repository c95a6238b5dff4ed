/** What `docs/status.md` promises to list is what the code has: every reason of a failure, every error class that packages export, every roll-up word. */
import { describe, expect, it } from "vitest"
import { localFailures, wireFailures } from "@espalier/engine/protocol"
import { files, packageSource } from "./support/tree.ts"

const page = files.find(({ path }) => path === "docs/status.md")?.text ?? ""
const listed = new Set([...page.matchAll(/`(\w+)`/g)].map(([, name]) => name ?? ""))

/** Names that index files of packages export, as their text says them. */
const exported = new Set(
  packageSource
    .filter(({ path }) => path.endsWith("index.ts") || /gateway\/src\/(jwt|testing)\.ts$/.test(path))
    .flatMap(({ text }) => [...text.matchAll(/\b([A-Z]\w+)\b/g)].map(([, name]) => name ?? "")),
)

const errorClasses = packageSource.flatMap(({ text }) =>
  [...text.matchAll(/^export class (\w+) extends (?:Error|Data\.TaggedError)\b/gm)].map(
    ([, name]) => name ?? "",
  ),
)

describe("docs/status.md", () => {
  it("names every reason an instance can fail for", () => {
    const reasons = [...Object.values(wireFailures), ...Object.values(localFailures)].flatMap(({ reason }) =>
      reason === null ? [] : [reason],
    )
    expect(reasons.length).toBeGreaterThan(20)
    expect([...new Set(reasons)].filter((reason) => !listed.has(reason))).toEqual([])
  })

  it("names every error class that a package exports", () => {
    const known = errorClasses.filter((name) => exported.has(name))
    expect(known.length).toBeGreaterThan(10)
    expect(known.filter((name) => !listed.has(name))).toEqual([])
  })

  it("names every word of the roll-up and every state", () => {
    const source = packageSource.find(({ path }) => path.endsWith("protocol/InstanceStatus.ts"))?.text ?? ""
    const words = /export type Rollup = (.+)/.exec(source)?.[1] ?? ""
    const states = /export type StateName =([\s\S]+?)\n\n/.exec(source)?.[1] ?? ""
    const all = [...`${words}${states}`.matchAll(/"(\w+)"/g)].map(([, word]) => word ?? "")
    expect(all.length).toBe(16)
    expect(all.filter((word) => !listed.has(word))).toEqual([])
  })
})

import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"

const here = fileURLToPath(new URL(".", import.meta.url))
const spec = readFileSync(fileURLToPath(new URL("../SPEC.md", import.meta.url)), "utf8")

const declared = new Set([...spec.matchAll(/^- \*\*(I\d+)\*\*/gm)].map((match) => match[1]!))

/** Invariants a test names in its sentence, as `(I4)` or `(I4, I7)`. */
const named = new Set(
  readdirSync(here, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !file.endsWith("spec.test.ts"))
    .flatMap((file) => [...readFileSync(`${here}/${file}`, "utf8").matchAll(/\((I\d+(?:, I\d+)*)\)"/g)])
    .flatMap((match) => match[1]!.split(", ")),
)

describe("SPEC.md", () => {
  it("has each of its invariants named by a test", () => {
    expect([...declared].filter((invariant) => !named.has(invariant))).toEqual([])
  })

  it("declares every invariant a test names", () => {
    expect([...named].filter((invariant) => !declared.has(invariant))).toEqual([])
  })

  it("lists every state and event of the machine", () => {
    for (const file of ["InstanceState.ts", "InstanceEvent.ts"]) {
      const source = readFileSync(fileURLToPath(new URL(`../src/machine/${file}`, import.meta.url)), "utf8")
      for (const [, tag] of source.matchAll(/_tag: "(\w+)"/g)) expect(spec).toContain(`\`${tag}\``)
    }
  })
})

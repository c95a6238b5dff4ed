/** Laws of the compiler that hold for any value. */
import { describe, expect, it } from "vitest"
import { graph } from "../../examples/workspaces.graph.ts"
import { type ColumnType, eq, Graph, client, param } from "../../src/graph/index.ts"
import { compileInstance, localQuery, ownership } from "../../src/protocol/compile.ts"
import { canonicalText } from "../../src/graph/values.ts"
import { forSeeds, type Seeded } from "../../src/testing/random.ts"

const texts = Graph.make({
  name: "texts",
  params: { chosen: client("text") },
  tables: {
    owners: { columns: { id: "text", kind: "text" }, primaryKey: ["id"] },
    things: { columns: { id: "text", owner: "text", kind: "text", note: "text" }, primaryKey: ["id"] },
  },
  nodes: {
    owners: { table: "owners", where: eq("kind", param("chosen")), key: "owners-{chosen}" },
    things: {
      table: "things",
      parent: "owners",
      on: { owner: "id", kind: "kind" },
      where: eq("note", param("chosen")),
      key: "things-{id}-{kind}",
    },
    parts: {
      table: "things",
      parent: "things",
      on: { id: "owner" },
      per: "owners",
      key: "parts-{owner}-{kind}",
    },
  },
})

const pieces = [
  "'",
  '"',
  ";",
  "--",
  "$1",
  " or true",
  "{",
  "}",
  "-",
  "%2D",
  "%",
  "/",
  "a",
  "B",
  "é",
  "😀",
  "",
  "\\",
  "\n",
]
const nasty = (random: Seeded): string =>
  Array.from({ length: random.below(6) }, () => random.pick(pieces)).join("")

describe("keys and hashes", () => {
  it("differ whenever the bindings differ", () => {
    forSeeds(2_000, (random) => {
      const one = { owner: nasty(random), kind: nasty(random) }
      const two = random.chance(0.5) ? { owner: one.kind, kind: one.owner } : { ...one, kind: nasty(random) }
      const params = { chosen: nasty(random) }
      const left = compileInstance(texts, "things", one, params)
      const right = compileInstance(texts, "things", two, params)
      const same = one.owner === two.owner && one.kind === two.kind
      expect(left.key === right.key).toBe(same)
      expect(left.hash === right.hash).toBe(same)
    })
  })

  it("of different nodes never meet", () => {
    forSeeds(500, (random) => {
      const company = random.uuid()
      const params = { userId: random.chance(0.5) ? company : random.uuid() }
      const instances = Object.keys(graph.nodes).map((node) => {
        const bindings = ownership(graph, node).bindings.map(({ binding }) => [binding, company])
        return compileInstance(graph, node, Object.fromEntries(bindings), params)
      })
      expect(new Set(instances.map(({ key }) => key)).size).toBe(instances.length)
      expect(new Set(instances.map(({ hash }) => hash)).size).toBe(instances.length)
    })
  })

  it("are the same for the same graph, bindings and params", () => {
    forSeeds(200, (random) => {
      const bindings = { owner: nasty(random), kind: nasty(random) }
      const params = { chosen: nasty(random) }
      expect(compileInstance(texts, "parts", bindings, params)).toEqual(
        compileInstance(texts, "parts", { ...bindings }, { ...params }),
      )
    })
  })
})

describe("values", () => {
  it("never reach the SQL text: it is the same whatever they are", () => {
    const wheres = new Set<string>()
    forSeeds(1_000, (random) => {
      const bindings = { owner: nasty(random), kind: nasty(random) }
      const params = { chosen: nasty(random) }
      const compiled = compileInstance(texts, "things", bindings, params)
      wheres.add(`${compiled.definition.where} | ${localQuery(texts, "things", bindings, params).where}`)
      expect(Object.values(compiled.definition.params)).toEqual([
        bindings.owner,
        bindings.kind,
        params.chosen,
      ])
    })
    expect(wheres.size).toBe(1)
  })

  it("have one canonical spelling, which is canonical itself", () => {
    const spellings: ReadonlyArray<readonly [ColumnType, ReadonlyArray<string>, string]> = [
      [
        "uuid",
        ["A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11", "{a0eebc999c0b4ef8bb6d6bb9bd380a11}"],
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
      ],
      ["bool", ["t", "TRUE", "on", "1"], "true"],
      ["int4", ["+7", "007"], "7"],
      ["int8", ["-0"], "0"],
      ["numeric", ["1.50", "+01.5", "001.500"], "1.5"],
      ["float8", ["1.0", "1e0", "+1"], "1"],
      ["bytea", ["\\x00FF"], "\\x00ff"],
      ["timestamptz", ["2026-01-31T12:30:00+00", "2026-01-31 12:30:00+00"], "2026-01-31 12:30:00+00"],
    ]
    for (const [type, variants, canonical] of spellings) {
      for (const variant of [...variants, canonical])
        expect(canonicalText(type, variant), variant).toBe(canonical)
    }
  })

  it.each([
    ["uuid", "{a0eebc999c0b4ef8bb6d6bb9bd380a11"],
    ["uuid", "1"],
    ["int4", "2147483648"],
    ["int2", "1.0"],
    ["int8", "9223372036854775808"],
    ["bool", "maybe"],
    ["numeric", "."],
    ["numeric", "1e5"],
    ["float8", "0x10"],
    ["date", "tomorrow"],
    ["timestamptz", "now"],
    ["time", "noon"],
    ["bytea", "\\xf"],
    ["jsonb", "{"],
    ["interval", " "],
    ["int4[]", "1,2"],
    ["text", "\ud800"],
  ] satisfies ReadonlyArray<readonly [ColumnType, string]>)("of type %s refuse %j", (type, text) => {
    expect(canonicalText(type, text)).toBeNull()
  })
})

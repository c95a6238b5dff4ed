/** What the store may conclude from a shape's condition, and what it must not. */
import { assert, describe, it } from "@effect/vitest"
import { fitsSlice, type Slice, sliceOf, Slices } from "../../src/adapters/store/slice.ts"
import { eq, Graph, isIn, or, param, sql } from "../../src/graph/index.ts"
import { compileInstance } from "../../src/protocol/compile.ts"
import type { Instance } from "../../src/protocol/Shape.ts"
import { storeInstance } from "../../src/testing/localStoreKit.ts"

const graph = Graph.make({
  name: "slices",
  params: { me: { type: "uuid", source: "identity" } },
  tables: {
    things: {
      columns: { id: "uuid", owner_id: "uuid?", kind: "text?", "odd Name": "int4?", amount: "numeric?" },
      primaryKey: ["id"],
    },
  },
  nodes: { things: { table: "things", key: "things-{me}", where: eq("owner_id", param("me")) } },
})
const table = graph.tables["things"]
const me = "00000000-0000-4000-8000-00000000000A"

const sliceOfWhere = (where: string | undefined, params: Readonly<Record<string, string>> = {}): Slice => {
  const base = storeInstance("things", { table: "things" })
  const instance: Instance = {
    ...base,
    definition: { ...base.definition, ...(where === undefined ? {} : { where }), params },
  }
  return table === undefined ? {} : sliceOf(table, instance)
}

describe("sliceOf", () => {
  it("reads the equalities of a conjunction, quoted names and all", () => {
    const where = `owner_id = $1 AND "odd Name" = $2 AND (kind = $3 OR kind IS NULL) AND kind = $4`
    assert.deepStrictEqual(sliceOfWhere(where, { "1": me, "2": "007", "3": "x", "4": "y" }), {
      owner_id: me.toLowerCase(),
      "odd Name": "7",
      kind: "y",
    })
  })

  it("concludes nothing from what is not surely a conjunction", () => {
    for (const where of [
      `owner_id = $1 OR kind = $2`,
      `owner_id = $1 AND kind = $2 OR true`,
      `kind BETWEEN $1 AND owner_id = $1`,
      `(owner_id = $1 AND kind = $2)`,
      `NOT (owner_id = $1)`,
      `owner_id = $1 AND kind = 'a' AND kind = $$ or $$`,
      `owner_id = $1 AND (kind = $2`,
    ]) {
      const slice = sliceOfWhere(where, { "1": me, "2": "x" })
      assert.deepStrictEqual(slice, {}, where)
    }
    assert.deepStrictEqual(sliceOfWhere(undefined), {})
  })

  it("is not misled by quoted names that look like SQL", () => {
    assert.deepStrictEqual(sliceOfWhere(`kind = $1 AND "a OR b" = $2`, { "1": "x", "2": "y" }), { kind: "x" })
  })

  it("leaves out columns the table lacks, types whose equal values have several texts, and values that do not fit", () => {
    assert.deepStrictEqual(sliceOfWhere("amount = $1", { "1": "1.0" }), {})
    assert.deepStrictEqual(sliceOfWhere("elsewhere = $1", { "1": "x" }), {})
    assert.deepStrictEqual(sliceOfWhere("owner_id = $1", { "1": "no uuid" }), {})
    assert.deepStrictEqual(sliceOfWhere("owner_id = $1"), {})
  })

  it("reads what the compiler writes, and nothing from free SQL", () => {
    const compiled = compileInstance(graph, "things", {}, { me })
    assert.deepStrictEqual(table && sliceOf(table, compiled), { owner_id: me.toLowerCase() })
    for (const where of [
      sql`kind = ${param("me")} or true`,
      or(eq("owner_id", param("me")), eq("kind", "a")),
      isIn("kind", ["a", "b"]),
    ]) {
      const other = Graph.make({
        name: "other",
        params: { me: { type: "uuid", source: "identity" } },
        tables: { things: { columns: { id: "uuid", owner_id: "uuid?", kind: "text?" }, primaryKey: ["id"] } },
        nodes: { things: { table: "things", key: "things-{me}", where } },
      })
      const instance = compileInstance(other, "things", {}, { me })
      assert.deepStrictEqual(table && sliceOf(table, instance), {}, instance.definition.where)
    }
  })
})

describe("fitsSlice", () => {
  it("compares canonical texts and lets columns that were not sent pass", () => {
    if (table === undefined) throw new Error("the graph lost its table")
    const slice = { owner_id: me.toLowerCase(), "odd Name": "7" }
    assert.isTrue(fitsSlice(table, slice, { owner_id: me, "odd Name": "07" }))
    assert.isTrue(fitsSlice(table, slice, { kind: "x" }))
    assert.isFalse(fitsSlice(table, slice, { owner_id: null }))
    assert.isFalse(fitsSlice(table, slice, { "odd Name": "8" }))
  })
})

describe("Slices", () => {
  it("finds instances apart only when one column tells the new one from all others", () => {
    const slices = new Slices()
    assert.isTrue(slices.isApart({}))
    slices.add(1, { company: "a" })
    assert.isTrue(slices.isApart({ company: "b" }))
    assert.isFalse(slices.isApart({ company: "a", kind: "x" }))
    assert.isFalse(slices.isApart({ kind: "x" }))
    slices.add(2, { company: "b", kind: "x" })
    assert.isTrue(slices.isApart({ company: "c" }))
    assert.isFalse(slices.isApart({ kind: "y" }))
    slices.remove(1)
    assert.isTrue(slices.isApart({ kind: "y" }))
    slices.add(2, { kind: "z" })
    assert.isFalse(slices.isApart({ company: "b" }))
    assert.strictEqual(slices.ownerOf({ kind: "z", company: null }), 2)
    assert.isNull(slices.ownerOf({ kind: "x" }))
  })
})

import { describe, expect, it } from "vitest"
import { graph } from "../examples/graph.ts"
import { equal, shareDeep, shareRows } from "../src/internal/share.ts"
import { tablesIn } from "../src/internal/tables.ts"
import { sql } from "../src/sql.ts"

describe("structural sharing", () => {
  it.each([
    [1, 1, true],
    [Number.NaN, Number.NaN, true],
    [1n, 1n, true],
    ["1", 1, false],
    [null, undefined, false],
    [new Date(5), new Date(5), true],
    [new Date(5), new Date(6), false],
    [new Date(Number.NaN), new Date(Number.NaN), true],
    [new Uint8Array([1, 2]), new Uint8Array([1, 2]), true],
    [new Uint8Array([1, 2]), new Uint8Array([1, 3]), false],
    [[1, [2]], [1, [2]], true],
    [[], {}, false],
    [{ a: { b: 1 } }, { a: { b: 1 } }, true],
    [{ a: undefined }, { b: undefined }, false],
    [{ a: 1 }, { a: 1, b: 2 }, false],
  ])("compares %o with %o", (a, b, same) => expect(equal(a, b)).toBe(same))

  it("keeps every part of a status that did not change", () => {
    const before = { generation: 1, instances: { a: { rows: 1 }, b: { rows: 2 } } }
    const after = shareDeep(before, { generation: 2, instances: { a: { rows: 1 }, b: { rows: 3 } } })
    expect(after).toEqual({ generation: 2, instances: { a: { rows: 1 }, b: { rows: 3 } } })
    expect(after.instances.a).toBe(before.instances.a)
    expect(after.instances.b).not.toBe(before.instances.b)
    expect(shareDeep(before, structuredClone(before))).toBe(before)
    expect(shareDeep({ a: 1, b: 2 }, { a: 1 })).toEqual({ a: 1 })
    expect(shareDeep([1, 2, 3], [1, 2])).toEqual([1, 2])
  })

  it("tells composite keys apart that would read the same when joined", () => {
    const before = [{ a: "x,y", b: "z", n: 1 }]
    const after = [{ a: "x", b: "y,z", n: 1 }]
    expect(shareRows(before, after, ["a", "b"])[0]).toBe(after[0])
  })

  it("hands out twins of keyless rows once each, and notices a row that went", () => {
    const before = [{ a: 1 }, { a: 1 }]
    expect(shareRows(before, [{ a: 1 }, { a: 1 }], [])).toBe(before)
    expect(shareRows(before, [{ a: 1 }], [])).toHaveLength(1)
    expect(shareRows(before, [], [])).toEqual([])
  })
})

describe("tables of a query", () => {
  it("are found as identifiers in any case or quoting, not as parts of longer names", () => {
    expect(tablesIn(graph, 'select * from Folders join "companies" using (id)')).toEqual([
      "companies",
      "folders",
    ])
    expect(tablesIn(graph, "select my_folders.x, folders2 from public.workspaces")).toEqual(["workspaces"])
  })

  it("are all of them where none is named", () => {
    expect(tablesIn(graph, "select now()")).toEqual(Object.keys(graph.tables))
  })
})

describe("sql", () => {
  it("numbers parameters across nested fragments and never splices a value", () => {
    const inner = sql`b = ${2} and c = ${"'; drop table x; --"}`
    const query = sql`select ${1} from t where ${inner} or ${inner} limit ${9}`
    expect(query.sql).toBe("select $1 from t where b = $2 and c = $3 or b = $4 and c = $5 limit $6")
    expect(query.params).toEqual([1, 2, "'; drop table x; --", 2, "'; drop table x; --", 9])
    expect(sql`select 1`.sql).toBe("select 1")
  })
})

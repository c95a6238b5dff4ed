/** Comparing two revisions: ratios are taken within a round, and only where both sides measured. */
import { describe, expect, it } from "vitest"
import { compareRounds } from "../bench/lib/compare.ts"
import { atLeast, measureOf } from "../bench/lib/measure.ts"

const measure = (id: string, value: number) => measureOf(id, [value], "x faster", atLeast(1))

describe("compareRounds", () => {
  it("takes ratios within a round, so that a slow round harms neither side", () => {
    const [only] = compareRounds([
      { before: [measure("a", 2)], after: [measure("a", 3)] },
      { before: [measure("a", 20)], after: [measure("a", 30)] },
      { before: [measure("a", 4)], after: [measure("a", 6)] },
    ])
    expect(only).toEqual({
      id: "a",
      unit: "x faster",
      before: 4,
      after: 6,
      ratio: 1.5,
      rounds: 3,
      spread: [1.5, 1.5],
    })
  })

  it("leaves out what one side does not know", () => {
    const found = compareRounds([
      { before: [measure("a", 1)], after: [measure("a", 1), measure("new", 1)] },
      { before: [], after: [measure("a", 2)] },
    ])
    expect(found.map(({ id, rounds }) => [id, rounds])).toEqual([["a", 1]])
  })
})

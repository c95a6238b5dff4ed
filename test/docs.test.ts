import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { documents, requote, root } from "../scripts/quote.ts"

describe("the documents", () => {
  for (const file of documents()) {
    const text = readFileSync(join(root, file), "utf8")

    it(`${file} quotes its sources as they are`, () => {
      expect(requote(text) === text, "run `node scripts/quote.ts`").toBe(true)
    })

    it(`${file} links only to files that exist`, () => {
      const targets = [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].map((match) => match[1]!)
      expect(targets.filter((target) => !existsSync(join(root, dirname(file), target)))).toEqual([])
    })
  }
})

import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"
import { mutations } from "./mutations/list.ts"

const source = fileURLToPath(new URL("../../src/", import.meta.url))

it("names text of the source for every deliberate defect, exactly once", () => {
  const stale = mutations.flatMap(({ file, find, id }) => {
    const count = readFileSync(`${source}${file}`, "utf8").split(find).length - 1
    return count === 1 ? [] : [`${id}: ${count} times in ${file}`]
  })
  expect(stale).toEqual([])
})

it("lists at least 25 defects, each with a name of its own", () => {
  expect(new Set(mutations.map(({ id }) => id)).size).toBe(mutations.length)
  expect(mutations.length).toBeGreaterThanOrEqual(25)
})

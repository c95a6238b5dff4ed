/**
 * Leases and parameters come and go; nothing of them may stay: no fiber, timer, run, stored instance. A sample of what
 * `pnpm bench reconcile --only churn` does 10,000 times.
 */
import { assert, describe, it } from "@effect/vitest"
import { measureChurn } from "../../../../bench/suites/reconcile/churn.ts"

describe("Churn", () => {
  it("leaves nothing behind after leases and parameters came and went, nor after closing (I8, I10)", async () => {
    const lines: Array<string> = []
    const [leaks] = await measureChurn({
      rows: 0,
      rounds: 1,
      quick: true,
      wants: () => true,
      log: (line) => lines.push(line),
    })
    assert.strictEqual(leaks?.value, 0, lines.join("\n"))
    assert.match(lines[0] ?? "", /1000 cycles, [1-9]\d+ runs started/)
  }, 60_000)
})

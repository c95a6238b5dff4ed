import { assert, describe, it } from "vitest"
import { chooseBackend, parseDataDir, type LastingBackend } from "../src/host/storage/backend.ts"
import { levelShares, storageLevel } from "../src/host/storage/level.ts"

/** Says what each back end's probe answers; a back end that is not named must not be probed. */
const probing = (answers: Partial<Record<LastingBackend, string | null>>) => (backend: LastingBackend) => {
  const answer = answers[backend]
  return answer === undefined ? Promise.reject(new Error(`probed ${backend}`)) : Promise.resolve(answer)
}

describe("chooseBackend", () => {
  it("takes what the data directory asks for when it works", async () => {
    const idb = await chooseBackend("idb://w", probing({ idb: null }))
    assert.deepInclude(idb, { backend: "idb", dataDir: "idb://w", name: "w" })
    const opfs = await chooseBackend("opfs-ahp://w", probing({ opfs: null }))
    assert.deepInclude(opfs, { backend: "opfs", dataDir: "opfs-ahp://w", name: "w" })
    const memory = await chooseBackend("memory://", probing({}))
    assert.deepInclude(memory, { backend: "memory", dataDir: "memory://" })
  })

  it("falls back to memory, not to another storage, when the one asked for is blocked, and says so", async () => {
    const choice = await chooseBackend("idb://w", probing({ idb: "SecurityError: denied" }))
    assert.deepInclude(choice, { backend: "memory", dataDir: "memory://" })
    assert.match(choice?.reason ?? "", /IndexedDB cannot be used: SecurityError: denied.*kept in memory/)
  })

  it("takes the first that works for auto, IndexedDB first, and says what was wrong with the others", async () => {
    const first = await chooseBackend("auto://w", probing({ idb: null }))
    assert.deepInclude(first, { backend: "idb", dataDir: "idb://w" })
    const second = await chooseBackend("auto://w", probing({ idb: "gone", opfs: null }))
    assert.deepInclude(second, { backend: "opfs", dataDir: "opfs-ahp://w" })
    assert.match(second?.reason ?? "", /IndexedDB cannot be used: gone/)
    const none = await chooseBackend("auto://w", probing({ idb: "gone", opfs: "away" }))
    assert.equal(none?.backend, "memory")
    assert.match(none?.reason ?? "", /gone.*away/)
  })

  it("refuses a directory that names no storage, or no name", async () => {
    for (const dataDir of ["w", "file:///tmp/w", "idb://", "auto://"]) {
      assert.isNull(await chooseBackend(dataDir, probing({})))
      assert.isNull(parseDataDir(dataDir))
    }
  })
})

describe("storageLevel", () => {
  const at = (share: number) => storageLevel({ usageBytes: share * 1000, quotaBytes: 1000 }, false)
  it("rises at the named shares of the quota", () => {
    assert.equal(at(0), "ok")
    for (const name of ["warning", "critical", "full"] as const) {
      assert.equal(at(levelShares[name]), name)
      assert.notEqual(at(levelShares[name] - 0.01), name)
    }
    assert.equal(at(2), "full")
  })

  it("is full when a write was refused, whatever is estimated, and ok when nothing is known", () => {
    assert.equal(storageLevel({ usageBytes: 1, quotaBytes: 1000 }, true), "full")
    assert.equal(storageLevel({ usageBytes: null, quotaBytes: null }, false), "ok")
    assert.equal(storageLevel({ usageBytes: 5, quotaBytes: 0 }, false), "ok")
  })
})

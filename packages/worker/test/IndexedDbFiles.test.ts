import { assert, describe, it } from "vitest"
import { changedFiles, takenAsStored, type MemoryNode } from "../src/host/storage/IndexedDbFiles.ts"

let nextId = 1
const file = (text: string, mtime: number): MemoryNode => {
  const bytes = new TextEncoder().encode(text)
  // Room to grow behind the bytes, as the file system in memory has.
  const contents = new Uint8Array(bytes.length + 100)
  contents.set(bytes)
  return { id: nextId++, mode: 0o100600, mtime, usedBytes: bytes.length, contents }
}
const directory = (contents: Record<string, MemoryNode>, mtime = 0): MemoryNode => ({
  id: nextId++,
  mode: 0o040700,
  mtime,
  contents,
})

const pathsOf = (changes: ReturnType<typeof changedFiles>): ReadonlyArray<string> =>
  changes.puts.map(([path]) => path)

describe("changedFiles", () => {
  it("stores everything of a new tree, directories before what is in them, with the exact bytes", () => {
    const root = directory({ base: directory({ "1": file("one", 5) }), PG_VERSION: file("18", 5) })
    const changes = changedFiles("/pglite/w", root, new Map(), () => 10)
    assert.deepEqual(pathsOf(changes), ["/pglite/w/base", "/pglite/w/base/1", "/pglite/w/PG_VERSION"])
    const entry = changes.puts[1]?.[1] as { readonly contents: Uint8Array; readonly timestamp: Date }
    assert.equal(new TextDecoder().decode(entry.contents), "one")
    assert.equal(entry.contents.buffer.byteLength, 3)
    assert.deepEqual(entry.timestamp, new Date(5))
  })

  it("stores the bytes of a file that was written once, which Emscripten keeps as a copy of its signed heap", () => {
    // `MEMFS.write` keeps the first write to an empty file as `HEAP8.slice(…)`, and a file read from storage as what it was given.
    const once = { ...file("", 5), usedBytes: 3, contents: Int8Array.from([1, -2, 3]) }
    const list = { ...file("", 5), usedBytes: 2, contents: [4, 255] }
    const empty = { ...file("", 5), usedBytes: 0, contents: null }
    const changes = changedFiles("/m", directory({ once, list, empty }), new Map(), () => 10)
    const contents = changes.puts.map(([, entry]) => [
      ...(entry as { readonly contents: Uint8Array }).contents,
    ])
    assert.deepEqual(contents, [[1, 254, 3], [4, 255], []])
  })

  it("finds written, replaced, renamed and removed files, and nothing else", () => {
    const kept = file("kept", 5)
    const moved = file("moved", 5)
    const written = file("old", 5)
    const base = directory({ kept, moved, written, gone: file("gone", 5), replaced: file("a", 5) })
    const before = takenAsStored("/m", directory({ base }))
    const after = directory({
      base: {
        ...base,
        mtime: 9,
        contents: { kept, renamed: moved, written: { ...written, mtime: 8 }, replaced: file("b", 5) },
      },
    })
    const changes = changedFiles("/m", after, before, () => 10)
    assert.deepEqual([...pathsOf(changes)].sort(), ["/m/base/renamed", "/m/base/replaced", "/m/base/written"])
    assert.deepEqual([...changes.deletes].sort(), ["/m/base/gone", "/m/base/moved"])
    const again = changedFiles("/m", after, changes.stored, () => assert.fail("nothing changed"))
    assert.deepEqual([pathsOf(again), again.deletes], [[], []])
  })

  it("stores a file whose size changed although its time did not", () => {
    const whole = file("whole", 5)
    const before = takenAsStored("/m", directory({ whole }))
    const after = directory({ whole: { ...whole, usedBytes: 0 } })
    assert.deepEqual(pathsOf(changedFiles("/m", after, before, () => 10)), ["/m/whole"])
  })

  it("stores a file again that may have been written within the tick of the clock it was stored in", () => {
    const hot = file("hot", 10)
    const root = directory({ hot, cold: file("cold", 9) })
    const first = changedFiles("/m", root, new Map(), () => 10)
    assert.deepEqual(pathsOf(changedFiles("/m", root, first.stored, () => 11)), ["/m/hot"])
  })
})

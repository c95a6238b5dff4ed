/**
 * Packed rows are what the plain path reads: random bodies, spelled in random ways and spoilt in random places, give the same messages,
 * flags and refusals whether their rows stay packed or not. `ENGINE_SEED` and `ENGINE_RUNS` choose the seeds.
 */
import { describe, expect, it } from "vitest"
import { decodeBytes, readBody } from "../../src/adapters/electric/wire.ts"
import { packedRow } from "../../src/protocol/index.ts"
import { isChange } from "../../src/protocol/Message.ts"
import { type Seeded, seeded } from "../../src/testing/random.ts"

const first = Number(process.env["ENGINE_SEED"] ?? 1)
const runs = Number(process.env["ENGINE_RUNS"] ?? 400) * 5

const texts = [
  "",
  "a",
  "null",
  '"',
  "\\",
  "\\\\",
  "a\"b'c",
  "\t\r\n\b\f",
  "ünï 💧",
  "\u0001",
  "\u0000",
  "\uFEFFx",
  "x".repeat(300),
  "}],{",
  "/",
]
const names = ["id", "name", "a b", 'q"uote', "ünï", "__proto__", "key", "value", "headers", "n\\u"]

const hex = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`

/** JSON of a text, some of its characters spelled as escapes that need not be. */
const spelled = (random: Seeded, text: string): string => {
  if (!random.chance(0.2)) return JSON.stringify(text)
  const parts = text
    .split("")
    .map((char) => (random.chance(0.3) ? hex(char) : JSON.stringify(char).slice(1, -1)))
  return `"${parts.join("")}"`.replaceAll("/", random.chance(0.5) ? "\\/" : "/")
}

const rowOf = (random: Seeded, columns: ReadonlyArray<string>, headers: string): string => {
  const values = columns.map(
    (name) => `${JSON.stringify(name)}:${random.chance(0.15) ? "null" : spelled(random, random.pick(texts))}`,
  )
  const order = random.chance(0.01) ? values.toReversed() : values
  const key = spelled(random, `"public"."t"/"${random.pick(texts)}"`)
  return `{"key":${key},"value":{${order.join(",")}},"headers":${headers}}`
}

const headersOf = (random: Seeded): string =>
  JSON.stringify(
    random.pick([
      { operation: "insert" },
      { operation: "insert", relation: ["public", "t"] },
      { relation: ['pub"lic', "t}"], operation: "insert" },
      { operation: "insert", relation: ["public", "t"] },
      { operation: "insert", lsn: "7", op_position: 0 },
      { operation: "insert", tags: ["a"] },
      { operation: "update" },
      { operation: "merge" },
    ]),
  )

const closings = [
  { headers: { control: "snapshot-end", xmin: "1", xmax: "2", xip_list: [] } },
  { headers: { control: "up-to-date", global_last_seen_lsn: "5" } },
  { headers: { control: "must-refetch" } },
  { headers: { control: "snapshot-end" } },
  { headers: { event: "move-out", patterns: [] } },
  { headers: { control: "something new" } },
]

const bodyOf = (random: Seeded): string => {
  const columns = random.shuffle(names).slice(0, random.below(names.length))
  const headers = headersOf(random)
  const rows = Array.from({ length: 1 + random.below(6) }, () =>
    rowOf(random, columns, random.chance(0.03) ? headersOf(random) : headers),
  )
  const ends = Array.from({ length: random.below(3) }, () =>
    JSON.stringify(random.pick(random.chance(0.8) ? closings.slice(0, 2) : closings)),
  )
  return `[${[...rows, ...ends].join(",")}]`
}

/** One byte changed, dropped or doubled. */
const spoil = (random: Seeded, bytes: Uint8Array): Uint8Array => {
  const at = random.below(bytes.length)
  const spoilt = [...bytes]
  const kind = random.below(3)
  if (kind === 0)
    spoilt[at] = random.pick([0, 10, 32, 34, 44, 58, 92, 93, 117, 125, 200, 255, random.below(256)])
  else spoilt.splice(at, kind === 1 ? 1 : 0, ...(kind === 1 ? [] : [bytes[at] ?? 0]))
  return Uint8Array.from(spoilt)
}

const seenIn = (body: ReturnType<typeof readBody>) =>
  body._tag === "Violation"
    ? { violation: true }
    : {
        messages: body.mustRefetch ? [] : body.messages,
        upToDate: body.upToDate,
        lsn: body.lastSeenLsn,
        mustRefetch: body.mustRefetch,
      }

describe("packed rows", () => {
  it(`are what message by message decoding reads, in ${runs} random bodies whole and spoilt`, () => {
    let packed = 0
    for (let seed = first; seed < first + runs; seed += 1) {
      const random = seeded(seed)
      const whole = new TextEncoder().encode(bodyOf(random))
      for (const bytes of [whole, spoil(random, whole), spoil(random, whole)]) {
        const body = readBody(bytes)
        const plain = decodeBytes(bytes)
        expect(seenIn(body), `seed ${seed}`).toEqual(seenIn(plain))
        if (body._tag === "Violation" || body.packed === undefined) continue
        packed += 1
        const { count, snapshotEnd } = body.packed
        const rows = Array.from({ length: count }, (_, row) => packedRow(body.packed ?? never(), row))
        const read = body.messages.filter(isChange).map(({ value }) => value)
        expect(rows, `seed ${seed}`).toEqual(read)
        expect(body.messages.length, `seed ${seed}`).toBe(count + (snapshotEnd === null ? 0 : 1))
      }
    }
    // Otherwise the property says nothing.
    expect(packed).toBeGreaterThan(runs / 4)
  })

  it("are found in a snapshot as the server writes it, and not in a log", () => {
    const row = (id: string, headers: object) => ({ key: `"t"/"${id}"`, value: { id, n: null }, headers })
    const encode = (list: unknown) => new TextEncoder().encode(JSON.stringify(list))
    const snapshot = readBody(encode([row("1", { operation: "insert" }), row("2", { operation: "insert" })]))
    const log = readBody(encode([row("1", { operation: "insert", lsn: "1" })]))
    expect("packed" in snapshot && snapshot.packed?.count).toBe(2)
    expect("packed" in log).toBe(false)
  })
})

const never = (): never => {
  throw new Error("not packed")
}

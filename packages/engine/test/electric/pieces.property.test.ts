/** A body is the same however it is cut into pieces on its way, announced or not, and a body without end is refused. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as ElectricShapeSource from "../../src/adapters/electric/ElectricShapeSource.ts"
import { maxBodyBytes } from "../../src/adapters/electric/body.ts"
import { ShapeSource } from "../../src/ports/ShapeSource.ts"
import { storeInstance } from "../../src/testing/localStoreKit.ts"
import { insert, snapshotEnd, update } from "../../src/testing/messages.ts"
import { type Seeded, seeded } from "../../src/testing/random.ts"

const runs = 20

const headers = {
  "content-type": "application/json",
  "electric-handle": "h",
  "electric-offset": "0_0",
  "electric-schema": "{}",
}

const pieces = (random: Seeded, bytes: Uint8Array): ReadableStream<Uint8Array> => {
  let at = 0
  return new ReadableStream({
    pull: (controller) => {
      const size = 1 + random.below(random.pick([3, 50, 20_000]))
      if (at >= bytes.length) return controller.close()
      controller.enqueue(bytes.slice(at, at + size))
      at += size
    },
  })
}

/** The first event that brings rows, or the failure; later requests hang. */
const firstBatch = (respond: () => Response) => {
  let asked = 0
  const fetch = (): Promise<Response> => {
    asked += 1
    return asked === 1 ? Promise.resolve(respond()) : new Promise(() => undefined)
  }
  return Effect.gen(function* () {
    const source = yield* ShapeSource
    const batches = source.changes(storeInstance("one"), null).pipe(
      Stream.filter((event) => event._tag === "Batch"),
      Stream.take(1),
      Stream.runCollect,
    )
    return [...(yield* batches)][0]
  }).pipe(
    Effect.provide(
      ElectricShapeSource.layer({ url: "http://127.0.0.1:1/v1/shape", kind: "electric", fetch }),
    ),
  )
}

describe("bodies in pieces", () => {
  it.live(`give the same batch however they are cut, in ${runs} random runs`, () =>
    Effect.gen(function* () {
      for (let seed = 1; seed <= runs; seed += 1) {
        const random = seeded(seed)
        const packs = random.chance(0.7)
        const rows = Array.from({ length: 1 + random.below(400) }, (_, id) => {
          const row = { id: String(id), name: random.pick(["ünï 💧", 'quo"ted', "x".repeat(90)]) }
          return packs ? insert("items", row) : update("items", row, { lsn: 5, op: id })
        })
        const messages = packs ? [...rows, snapshotEnd()] : rows
        const bytes = new TextEncoder().encode(JSON.stringify(messages))
        const announced = random.pick([null, bytes.length, 10, bytes.length * 2])
        const length = announced === null ? {} : { "content-length": String(announced) }
        const batch = yield* firstBatch(
          () => new Response(pieces(random, bytes), { headers: { ...headers, ...length } }),
        )
        assert.deepStrictEqual(batch?._tag === "Batch" ? batch.messages : null, messages, `seed ${seed}`)
        assert.strictEqual(batch?._tag === "Batch" && batch.packed !== undefined, packs, `seed ${seed}`)
        assert.strictEqual(batch?._tag === "Batch" ? batch.bytes : 0, bytes.length)
      }
    }),
  )

  it.live("are refused by name when they do not end", () =>
    Effect.gen(function* () {
      const mebibytes = new Uint8Array(32 * 1024 * 1024)
      const endless = (): ReadableStream<Uint8Array> =>
        new ReadableStream({ pull: (controller) => controller.enqueue(mebibytes) })
      const error = yield* Effect.flip(firstBatch(() => new Response(endless(), { headers })))
      assert.include(String(error), `${maxBodyBytes} bytes`)
    }),
  )
})

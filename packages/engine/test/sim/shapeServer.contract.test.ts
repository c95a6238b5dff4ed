/** The model server does with transactions what every shape server does, slow move-ins and small chunks included. */
import { describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { ShapeSource } from "../../src/ports/ShapeSource.ts"
import { ModelServer } from "../../src/testing/model/ModelServer.ts"
import { modelSource } from "../../src/testing/model/ModelSource.ts"
import { shapeServerContract } from "../../src/testing/shapeServerContract.ts"
import { serverContractGraph, type ShapeServerHarness } from "../../src/testing/shapeServerKit.ts"

const harness = (options: { readonly moveMillis?: number; readonly logChunk?: number }) =>
  Effect.gen(function* () {
    const servers = new Map<string, ModelServer>()
    const sources = new Map<string, ShapeSource["Service"]>()
    for (let index = 1; index <= shapeServerContract.length; index++) {
      const owner = `owner${index}`
      const server = new ModelServer({ graph: serverContractGraph, params: { owner }, ...options })
      servers.set(owner, server)
      const services = yield* Layer.build(modelSource({ endpoint: server, signals: false }))
      sources.set(owner, Context.get(services, ShapeSource))
    }
    const found: ShapeServerHarness = {
      source: (owner) => sources.get(owner)!,
      commit: (writes) =>
        Effect.clockWith((clock) =>
          Effect.sync(() => {
            for (const server of servers.values()) server.commit(writes, clock.currentTimeMillisUnsafe())
          }),
        ),
      pause: TestClock.adjust(50),
    }
    return found
  })

for (const options of [{}, { moveMillis: 900, seed: 2 }, { logChunk: 1 }]) {
  describe(`The model server with ${JSON.stringify(options)}`, () => {
    for (const { name, run } of shapeServerContract) {
      it.effect(name, () => Effect.flatMap(harness(options), run))
    }
  })
}

/** The source over a model server keeps the promises of every shape source, here over an endpoint that answers from a script. */
import { describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { ShapeSource, type Batch } from "../../src/ports/ShapeSource.ts"
import type { Checkpoint } from "../../src/protocol/Checkpoint.ts"
import { Overloaded, type ShapeErrorReason } from "../../src/protocol/ShapeError.ts"
import type { Answer, ShapeRequest } from "../../src/testing/model/answers.ts"
import { modelSource } from "../../src/testing/model/ModelSource.ts"
import { shapeSourceContract, type ShapeSourceHarness } from "../../src/testing/shapeSourceContract.ts"

class Script {
  readonly logs = new Map<string, { handle: string; chunks: ReadonlyArray<Batch> }>()
  readonly sent = new Map<string, number>()
  readonly open = new Map<string, number>()
  readonly resumes = new Map<string, Array<Checkpoint | null>>()
  readonly #waiting = new Set<() => void>()
  readonly #overloaded = new Set<string>()

  serve(key: string, chunks: ReadonlyArray<Batch>): void {
    this.logs.set(key, { handle: chunks[0]?.checkpoint.handle ?? "h", chunks })
    this.#wake()
  }

  append(key: string, chunk: Batch): void {
    const log = this.logs.get(key)
    this.logs.set(key, { handle: chunk.checkpoint.handle, chunks: [...(log?.chunks ?? []), chunk] })
    this.#wake()
  }

  overload(key: string): void {
    this.#overloaded.add(key)
    this.#wake()
  }

  readonly request = (request: ShapeRequest): Effect.Effect<Answer, ShapeErrorReason> => {
    const { key } = request.instance
    const count = (by: number) => Effect.sync(() => this.open.set(key, (this.open.get(key) ?? 0) + by))
    return Effect.acquireUseRelease(
      count(1),
      () => this.#answer(key, request),
      () => count(-1),
    )
  }

  readonly #answer = (key: string, request: ShapeRequest): Effect.Effect<Answer, ShapeErrorReason> =>
    Effect.suspend(() => {
      if (this.#overloaded.delete(key))
        return Effect.fail(new Overloaded({ status: 503, retryAfterMillis: 7_000, message: "busy" }))
      const log = this.logs.get(key)
      if (log === undefined) return Effect.never
      if (request.handle !== null && request.handle !== log.handle)
        return Effect.succeed({ _tag: "Void", lost: false } as const)
      const next =
        log.chunks[log.chunks.findIndex(({ checkpoint }) => checkpoint.offset === request.offset) + 1]
      if (next === undefined) return Effect.andThen(this.#wait, this.#answer(key, request))
      this.sent.set(key, (this.sent.get(key) ?? 0) + 1)
      return Effect.succeed({
        _tag: "Log",
        checkpoint: next.checkpoint,
        messages: next.messages,
        upToDate: next.upToDate,
      } as const)
    })

  readonly #wait = Effect.callback<void>((resume) => {
    const waiter = () => resume(Effect.void)
    this.#waiting.add(waiter)
    return Effect.sync(() => this.#waiting.delete(waiter))
  })

  #wake(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const waiter of waiting) waiter()
  }
}

const harness = (prefetch: boolean) =>
  Effect.gen(function* () {
    const script = new Script()
    const observer = {
      started: ({ key }: { readonly key: string }, resume: Checkpoint | null) =>
        void script.resumes.set(key, [...(script.resumes.get(key) ?? []), resume]),
      ended: () => {},
      asked: () => {},
      failed: () => {},
      delivered: () => {},
      acknowledged: () => {},
    }
    const services = yield* Layer.build(modelSource({ endpoint: script, prefetch, observer }))
    const found: ShapeSourceHarness = {
      source: Context.get(services, ShapeSource),
      serve: (key, chunks) => Effect.sync(() => script.serve(key, chunks)),
      append: (key, chunk) => Effect.sync(() => script.append(key, chunk)),
      rotate: (key, chunks) => Effect.sync(() => script.serve(key, chunks)),
      overload: (key) => Effect.sync(() => script.overload(key)),
      resumes: (key) => script.resumes.get(key) ?? [],
      sent: (key) => script.sent.get(key) ?? 0,
      open: (key) => script.open.get(key) ?? 0,
      pause: Effect.repeat(Effect.yieldNow, { times: 10 }),
    }
    return found
  })

for (const prefetch of [true, false]) {
  describe(`the source of the model server, ${prefetch ? "with" : "without"} prefetch`, () => {
    for (const { name, run } of shapeSourceContract) {
      it.effect(name, () => Effect.flatMap(harness(prefetch), run))
    }
  })
}

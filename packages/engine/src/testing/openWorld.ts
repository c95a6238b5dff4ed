/**
 * The test world for tests without Effect: the same methods, as promises, on a virtual time of its own. Real time does not pass:
 * `advance(60_000)` takes a millisecond.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Cause from "effect/Cause"
import * as Logger from "effect/Logger"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import type { EngineStatus, Explanation, PauseReason } from "../protocol/InstanceStatus.ts"
import type { TextRow } from "../protocol/Message.ts"
import type { Fault } from "./model/faults.ts"
import type { Texts } from "./model/filters.ts"
import type { Write } from "./model/ModelDatabase.ts"
import { randomService, seeded } from "./random.ts"
import { expectConverged, expectNoLeaks, expectRows, TestWorld, type WorldOptions } from "./TestWorld.ts"
import { VirtualTime } from "./virtualTime.ts"

/** A {@link TestWorld} in promises. */
export interface PromiseWorld {
  readonly commit: (...writes: ReadonlyArray<Write>) => Promise<void>
  readonly advance: (millis: number) => Promise<void>
  readonly fault: (
    fault: Fault,
    options: { readonly forMillis: number; readonly share?: number; readonly node?: string },
  ) => Promise<void>
  readonly rotate: (table?: string) => Promise<void>
  /** Resolves to what ends the lease. */
  readonly lease: (node: string, bindings?: Texts) => Promise<() => Promise<void>>
  /** Other values of the client's parameters, as Postgres text. */
  readonly setParams: (params: Texts) => Promise<void>
  readonly online: (online: boolean) => Promise<void>
  readonly pause: (reason: PauseReason) => Promise<void>
  readonly resume: (reason: PauseReason) => Promise<void>
  readonly killAtWrite: (atWrite?: number, moment?: "before" | "after") => Promise<void>
  readonly restart: () => Promise<void>
  readonly rows: (table: string) => ReadonlyArray<TextRow>
  readonly status: () => Promise<EngineStatus>
  readonly explain: (key: string) => Promise<Explanation>
  readonly journal: () => Promise<ReadonlyArray<string>>
  readonly expectConverged: (options?: { readonly withinMillis?: number }) => Promise<void>
  readonly expectRows: (table: string, expected: ReadonlyArray<TextRow>) => Promise<void>
  /** Ends the engine; nothing may be left of it. */
  readonly expectNoLeaks: () => Promise<void>
  readonly close: () => Promise<void>
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

/** Opens a world; close it, or declare it with `await using`. */
export const openWorld = async (options: Omit<WorldOptions, "time">): Promise<PromiseWorld> => {
  const time = new VirtualTime()
  const random = randomService(seeded(options.server?.seed ?? 1))
  const run = async <A, E>(effect: Effect.Effect<A, E>): Promise<A> => {
    const exit = await time.run(
      effect.pipe(Effect.provideService(Random.Random, random), Effect.provide(Logger.layer([]))),
    )
    if (Exit.isSuccess(exit)) return exit.value
    throw Cause.squash(exit.cause)
  }
  const scope = await run(Scope.make())
  const world = await run(Scope.provide(TestWorld.make({ ...options, time }), scope))
  const close = (): Promise<void> => run(Scope.close(scope, Exit.void))
  return {
    commit: (...writes) => run(world.commit(...writes)),
    advance: (millis) => run(world.advance(millis)),
    fault: (fault, options_) => run(world.fault(fault, options_)),
    rotate: (table) => run(world.rotate(table)),
    lease: async (node, bindings) => {
      const release = await run(world.lease(node, bindings))
      return () => run(release)
    },
    setParams: (params) => run(world.setParams(params)),
    online: (online) => run(world.online(online)),
    pause: (reason) => run(world.pause(reason)),
    resume: (reason) => run(world.resume(reason)),
    killAtWrite: (atWrite, moment) => run(world.killAtWrite(atWrite, moment)),
    restart: () => run(world.restart()),
    rows: (table) => world.rows(table),
    status: () => run(world.status),
    explain: (key) => run(world.explain(key)),
    journal: () => run(world.journal),
    expectConverged: (within) => run(expectConverged(world, within)),
    expectRows: (table, expected) => run(expectRows(world, table, expected)),
    expectNoLeaks: () => run(expectNoLeaks(world)),
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** The leases that people hold in a simulated world: they outlive engines, and are announced to each new one. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Engine } from "../../Engine.ts"
import type { Lease } from "../../protocol/Lease.ts"

interface Held {
  readonly lease: Lease
  scope: Scope.Closeable | null
}

export class HeldLeases {
  readonly #held = new Map<number, Held>()

  get ids(): ReadonlyArray<number> {
    return [...this.#held.keys()]
  }

  get all(): ReadonlyArray<Lease> {
    return [...this.#held.values()].map(({ lease }) => lease)
  }

  /** Takes a lease under an id; the one before under that id ends. */
  take(id: number, lease: Lease, engine: Engine["Service"]): Effect.Effect<void> {
    return Effect.andThen(
      this.release(id),
      Effect.suspend(() => {
        const held: Held = { lease, scope: null }
        this.#held.set(id, held)
        return acquire(held, engine)
      }),
    )
  }

  release(id: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const held = this.#held.get(id)
      this.#held.delete(id)
      return held === undefined ? Effect.void : close(held)
    })
  }

  /** A new engine hears of all of them. */
  announce(engine: Engine["Service"]): Effect.Effect<void> {
    return Effect.forEach([...this.#held.values()], (held) => acquire(held, engine), { discard: true })
  }

  /** The engine ends; the people are still there. */
  suspend(): Effect.Effect<void> {
    return Effect.forEach([...this.#held.values()], close, { discard: true })
  }
}

const acquire = (held: Held, engine: Engine["Service"]): Effect.Effect<void> =>
  Effect.flatMap(Scope.make(), (scope) => {
    held.scope = scope
    return Scope.provide(engine.acquire(held.lease), scope)
  })

const close = (held: Held): Effect.Effect<void> => {
  const { scope } = held
  held.scope = null
  return scope === null ? Effect.void : Scope.close(scope, Exit.void)
}

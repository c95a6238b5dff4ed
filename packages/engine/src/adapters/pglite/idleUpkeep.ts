/**
 * Runs the store's upkeep while nobody waits for the database: behind an operation that made some due, after a quiet moment, so
 * that neither a commit nor a reader pays for it. Called by the layer of `PgliteLocalStore.ts`, which owns the fiber.
 */
import * as Effect from "effect/Effect"
import { storeError } from "./errors.ts"
import type { Transactions } from "./transactions.ts"
import { quietMillis } from "./Upkeep.ts"

/** Never ends by itself. What fails is logged and due again with the next changes. */
export const upkeepWhileIdle = (transactions: Transactions): Effect.Effect<never> =>
  Effect.forever(
    Effect.gen(function* () {
      yield* transactions.upkeepDue.await
      let seen = -1
      while (seen !== transactions.operations()) {
        seen = transactions.operations()
        yield* Effect.sleep(quietMillis)
      }
      yield* transactions.upkeepDue.close
      yield* Effect.uninterruptible(
        Effect.tryPromise({ try: transactions.keepUpIdle, catch: storeError("upkeep") }),
      ).pipe(Effect.catch((error) => Effect.logWarning("upkeep of the local database failed", error)))
    }),
  )

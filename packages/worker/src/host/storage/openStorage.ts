/**
 * Opens the database with everything that may go wrong taken care of: one that does not open, or whose schema cannot be read, is moved
 * aside and built anew; where that fails too, rows are kept in memory. What happened is in the storage status. The app is never
 * left without a database because of what a disk or a browser did. Called by `startHost`.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Quarantine } from "../../contract.ts"
import type { OpenDatabase, OpenOptions } from "../startHost.ts"
import { type BackendChoice, inMemory } from "./backend.ts"

/** An opening that has not ended after so long will not. Generous: a cold start on a busy machine takes ten seconds. */
const openBoundMillis = 120_000

/** What opening needs of the host; tests replace it. */
export interface StorageParts {
  readonly openDatabase: (dataDir: string, options: OpenOptions) => Promise<OpenDatabase>
  /** Frees the name of a damaged database; resolves with the name under which it is kept, or null. */
  readonly quarantine: (name: string) => Promise<string | null>
}

/** An open database, and where it really lies. */
export interface Opened {
  readonly database: OpenDatabase
  readonly choice: BackendChoice
  readonly quarantined: Quarantine | null
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const open = (parts: StorageParts, choice: BackendChoice, options: OpenOptions) =>
  Effect.tryPromise({ try: () => parts.openDatabase(choice.dataDir, options), catch: textOf }).pipe(
    Effect.timeoutOrElse({
      duration: openBoundMillis,
      orElse: () => Effect.fail(`it did not open within ${openBoundMillis} ms`),
    }),
  )

/** Moves what is there aside and opens a new database of the same name; in memory when that fails. */
export const rebuild = Effect.fnUntraced(function* (
  parts: StorageParts,
  choice: BackendChoice,
  options: OpenOptions,
  cause: string,
) {
  const at = yield* Clock.currentTimeMillis
  const moved = yield* Effect.tryPromise({ try: () => parts.quarantine(choice.name), catch: textOf }).pipe(
    Effect.flatMap((keptAs) =>
      Effect.map(open(parts, choice, options), (database): Opened => ({
        database,
        choice,
        quarantined: { at, cause, keptAs },
      })),
    ),
    Effect.result,
  )
  if (moved._tag === "Success") return moved.success
  const memory = inMemory(
    choice.name,
    `The database ${choice.dataDir} did not open (${cause}), and no new one could be built in its place (${moved.failure}).`,
  )
  const database = yield* open(parts, memory, options)
  const opened: Opened = { database, choice: memory, quarantined: { at, cause, keptAs: null } }
  return opened
})

/** Whether a damaged database of this back end can be moved aside. */
export const canQuarantine = ({ backend }: BackendChoice): boolean => backend === "idb"

/** Opens the database of a choice. Fails with a text when nothing could be opened. */
export const openStorage = (
  parts: StorageParts,
  choice: BackendChoice,
  options: OpenOptions,
): Effect.Effect<Opened, string> =>
  open(parts, choice, options).pipe(
    Effect.map((database): Opened => ({ database, choice, quarantined: null })),
    Effect.catch((cause) =>
      canQuarantine(choice) ? rebuild(parts, choice, options, cause) : Effect.fail(cause),
    ),
  )

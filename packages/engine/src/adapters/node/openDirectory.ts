/**
 * Opens a PGlite on a directory, for one process at a time. Exists because PGlite does not refuse a second opener of a directory:
 * the two write over each other and both databases are lost. For hosts that run on Node; the browser has Web Locks instead.
 * Called by servers, scripts and tests, never by the engine.
 */
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from "node:fs"
import { join } from "node:path"
import { PGlite, type PGliteOptions } from "@electric-sql/pglite"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { StoreError } from "../../ports/LocalStore.ts"

/** Lies beside the database's own files and names the process that has it open. */
export const lockName = "espalier.lock"

/** This process, apart from an earlier one of the same id: a container gives its first process the same id at every start. */
const self = (): string => `${process.pid} ${performance.timeOrigin}`

const failed = (cause: unknown): StoreError =>
  cause instanceof StoreError ? cause : new StoreError({ operation: "open", kind: "unavailable", cause })

const inUse = (path: string, by: string): StoreError =>
  failed(new Error(`${path} says that ${by} has the database open; end it or choose another directory`))

/**
 * Opens or creates the database in `directory` and closes it with the scope. The lock of a process that is gone is taken over.
 *
 * @error StoreError `unavailable` while another opening, in this process or another, has the directory
 */
export const openDirectory = (
  directory: string,
  options: Omit<PGliteOptions, "dataDir"> = {},
): Effect.Effect<PGlite, StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    yield* Effect.acquireRelease(Effect.try({ try: () => lock(directory), catch: failed }), () =>
      Effect.sync(() => rmSync(join(directory, lockName), { force: true })),
    )
    return yield* Effect.acquireRelease(
      Effect.tryPromise({ try: () => PGlite.create({ ...options, dataDir: directory }), catch: failed }),
      (opened) => Effect.promise(() => opened.close()),
    )
  })

const lock = (directory: string): void => {
  mkdirSync(directory, { recursive: true })
  const path = join(directory, lockName)
  for (let attempt = 0; attempt < 3; attempt += 1) {
    try {
      const file = openSync(path, "wx")
      writeSync(file, self())
      closeSync(file)
      return
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error
    }
    const holder = readFileSync(path, "utf8")
    if (holder === self()) throw inUse(path, "this very process")
    const pid = Number(holder.split(" ")[0])
    if (pid !== process.pid && isRunning(pid)) throw inUse(path, `process ${pid}`)
    rmSync(path, { force: true })
  }
  throw inUse(path, "one process after the other")
}

const isRunning = (pid: number): boolean => {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

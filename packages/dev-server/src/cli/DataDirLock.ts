/**
 * One process per data directory. PGlite does not refuse a second opener of the same directory, and the two would destroy
 * each other's files; this lock file does. The lock of a process that is gone is taken over.
 */
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from "node:fs"
import { join } from "node:path"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** The directory is in use, or cannot be used. */
export class DataDirError extends Data.TaggedError("DataDirError")<{ readonly message: string }> {}

/** Lies beside the database's own files. */
const lockName = "espalier-dev-server.lock"

/** Holds the lock of `dataDir` for the scope. Makes the directory. */
export const acquire = (dataDir: string): Effect.Effect<void, DataDirError, Scope.Scope> => {
  const path = join(dataDir, lockName)
  return Effect.acquireRelease(
    Effect.try({
      try: () => {
        mkdirSync(dataDir, { recursive: true })
        lock(path)
      },
      catch: (error) =>
        error instanceof DataDirError
          ? error
          : new DataDirError({
              message: `The data directory ${dataDir} cannot be used: ${messageOf(error)}`,
            }),
    }),
    () => Effect.sync(() => rmSync(path, { force: true })),
  )
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const lock = (path: string): void => {
  for (let attempt = 0; attempt < 3; attempt += 1) {
    try {
      const file = openSync(path, "wx")
      writeSync(file, String(process.pid))
      closeSync(file)
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error
    }
    const holder = existsSync(path) ? Number(readFileSync(path, "utf8")) : 0
    if (holder !== process.pid && isRunning(holder)) {
      throw new DataDirError({
        message: `The data directory is in use by process ${holder} (${path}). Stop that process or choose another directory.`,
      })
    }
    rmSync(path, { force: true })
  }
  throw new DataDirError({ message: `The lock ${path} cannot be taken: other processes keep taking it.` })
}

const isRunning = (pid: number): boolean => {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"
  }
}

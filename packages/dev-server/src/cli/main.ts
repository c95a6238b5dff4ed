/**
 * The `dev-server` command as one scoped Effect: lock, database, seeds, server, ready line. Prints one JSON line on stdout
 * when it can serve and says on stderr that it is for development. Everything is released in reverse order at the end.
 */
import { readFileSync } from "node:fs"
import { createServer } from "node:net"
import { join, resolve } from "node:path"
import type { PGlite } from "@electric-sql/pglite"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { forget } from "../Backend.ts"
import { type Database, fromPGlite } from "../db/Database.ts"
import { fromPool, makePool } from "../db/Postgres.ts"
import { defaultFolder, discard, pgliteVersion, prepare } from "../db/preparedDirectory.ts"
import { make } from "../DevServer.ts"
import * as DataDirLock from "./DataDirLock.ts"
import { type Assets, isNewDatabase } from "./assets.ts"
import type { Flags } from "./flags.ts"

/** A start that failed, in one sentence. */
export class StartError extends Data.TaggedError("StartError")<{ readonly message: string }> {}

/** Schema that keeps shapes in a data directory. */
const durableSchema = "espalier_capture"

/** Folder in a data directory that keeps large snapshots. */
const snapshotFolder = "espalier-snapshots"

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/**
 * Keeps the write-ahead log small: PGlite has no process that would recycle it. And grows files by writing: `posix_fallocate` copies
 * the whole file each time, where files live in memory.
 */
const startParams = [
  ...["-c", "min_wal_size=32MB"],
  ...["-c", "max_wal_size=64MB"],
  ...["-c", "file_extend_method=write_zeros"],
]

/** Starts the server and prints the ready line; lives until the scope closes. */
export const run = (
  flags: Flags,
  assets: Promise<Assets> | null,
  print: (line: string) => void,
): Effect.Effect<void, StartError | DataDirLock.DataDirError, Scope.Scope> =>
  Effect.gen(function* () {
    const seeds = yield* readSeeds(flags.seeds)
    yield* probePort(flags)
    const dataDir = flags.dataDir === null ? null : resolve(flags.dataDir)
    if (dataDir !== null) yield* DataDirLock.acquire(dataDir)
    const database = yield* prepareDatabase(flags, assets, dataDir, seeds)
    const server = yield* make({
      ...database,
      port: flags.port,
      host: flags.host,
      secret: flags.secret,
      sqlToken: flags.sqlToken,
      faults: flags.faults,
      faultToken: flags.faultToken,
      longPollTimeoutMillis: flags.longPollTimeoutMillis,
      chunkBytes: flags.chunkBytes,
      allowDelete: flags.allowDelete,
      captureSchema: dataDir === null ? (flags.keep ?? undefined) : durableSchema,
      snapshotFolder: dataDir === null ? undefined : join(dataDir, snapshotFolder),
    }).pipe(
      Effect.mapError(
        (error) =>
          new StartError({
            message:
              error.reason === "database"
                ? `The database cannot be prepared: ${error.message}`
                : explainListen(error.message, flags),
          }),
      ),
    )
    print(JSON.stringify({ ready: true, url: server.url, port: server.port, dataDir }))
  })

/** Opens the embedded database, or reaches the real one, and runs the seeds. */
const prepareDatabase = Effect.fnUntraced(function* (
  flags: Flags,
  assets: Promise<Assets> | null,
  dataDir: string | null,
  seeds: ReadonlyArray<SeedFile>,
) {
  if (flags.databaseUrl === null) {
    const db = yield* open(dataDir, flags.cacheDir, assets)
    yield* seed(fromPGlite(db), seeds, durableSchema)
    return { db }
  }
  const { databaseUrl } = flags
  const pool = makePool(databaseUrl, "espalier_dev_server_seed", () => undefined)
  yield* seed(fromPool(pool, { isRepeatable: false }), seeds, flags.keep ?? durableSchema).pipe(
    Effect.ensuring(Effect.promise(() => pool.end())),
  )
  return { databaseUrl }
})

/** Removes what `--keep` left in a real Postgres. */
export const forgetShapes = (databaseUrl: string, name: string): Effect.Effect<void, StartError> =>
  Effect.tryPromise({
    try: () => forget(databaseUrl, name),
    catch: (error) =>
      new StartError({ message: `The shapes of ${name} cannot be removed: ${messageOf(error)}` }),
  })

const explainListen = (message: string, flags: Flags): string => {
  const code = /EADDRINUSE|EACCES|EADDRNOTAVAIL|ENOTFOUND/u.exec(message)?.[0]
  const words: Readonly<Record<string, string>> = {
    EADDRINUSE: `Port ${flags.port} on ${flags.host} is already in use`,
    EACCES: `Port ${flags.port} on ${flags.host} may not be used by this account`,
    EADDRNOTAVAIL: `${flags.host} is not an address of this machine`,
    ENOTFOUND: `${flags.host} is not an address of this machine`,
  }
  return `${words[code ?? ""] ?? `Cannot listen on ${flags.host}:${flags.port}`} (${message}).`
}

/** Fails for a port in use before the seconds a new database takes. The server's own listen still has the last word. */
const probePort = (flags: Flags): Effect.Effect<void, StartError> =>
  Effect.callback<void, StartError>((resume) => {
    const probe = createServer()
    probe.once("error", (error) =>
      resume(Effect.fail(new StartError({ message: explainListen(error.message, flags) }))),
    )
    probe.listen(flags.port, flags.host, () => probe.close(() => resume(Effect.void)))
  })

interface SeedFile {
  readonly path: string
  readonly script: string
}

const readSeeds = (paths: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<SeedFile>, StartError> =>
  Effect.forEach(paths, (path) =>
    Effect.try({
      try: () => ({ path, script: readFileSync(path, "utf8") }),
      catch: (error) =>
        new StartError({ message: `The seed file ${path} cannot be read: ${messageOf(error)}` }),
    }),
  )

const open = (
  dataDir: string | null,
  cacheFolder: string | null,
  assets: Promise<Assets> | null,
): Effect.Effect<PGlite, StartError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const early = yield* Effect.promise(() => Promise.resolve(assets))
      const fresh: OpenOptions = {
        ...(dataDir === null ? {} : { dataDir }),
        ...(early?.pgliteWasmModule ? { pgliteWasmModule: early.pgliteWasmModule } : {}),
      }
      if (!isNewDatabase(dataDir)) return yield* create(fresh)
      const options = {
        folder: cacheFolder ?? defaultFolder(),
        version: pgliteVersion(),
        create: () => createPGlite({}),
      }
      const { data, problem } = early?.prepared
        ? { data: early.prepared, problem: null }
        : yield* Effect.promise(() => prepare(options))
      if (problem !== null) yield* Effect.logWarning(problem)
      if (data === null) return yield* create(fresh)
      return yield* create({ ...fresh, loadDataDir: data }).pipe(
        Effect.tapError(() => Effect.promise(() => discard(options))),
      )
    }).pipe(
      Effect.mapError(
        (error) =>
          new StartError({ message: `The database ${dataDir ?? "in memory"} cannot be opened: ${error}` }),
      ),
    ),
    (db) => Effect.promise(() => db.close()),
  )

interface OpenOptions {
  readonly dataDir?: string
  readonly pgliteWasmModule?: WebAssembly.Module
  readonly loadDataDir?: Blob
}

const createPGlite = async (options: OpenOptions): Promise<PGlite> => {
  const { PGlite } = await import("@electric-sql/pglite")
  return await PGlite.create({ ...options, startParams: [...PGlite.defaultStartParams, ...startParams] })
}

const create = (options: OpenOptions): Effect.Effect<PGlite, string> =>
  Effect.tryPromise({ try: () => createPGlite(options), catch: messageOf })

/** Runs the seeds where the database holds no table of the user, all in one transaction. */
const seed = (
  db: Database,
  seeds: ReadonlyArray<SeedFile>,
  ourSchema: string,
): Effect.Effect<void, StartError> => {
  let current = ""
  return Effect.tryPromise({
    try: () =>
      db.transaction(async (sql) => {
        const [row] = await sql.rows(
          `select exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast', $1))`,
          [ourSchema],
        )
        if (row?.[0] === "t") return
        for (const { path, script } of seeds) {
          current = path
          await sql.exec(script)
        }
      }),
    catch: (error) =>
      new StartError({
        message:
          current === ""
            ? `The database cannot be reached: ${messageOf(error)}`
            : `The seed file ${current} failed: ${messageOf(error)}`,
      }),
  })
}

/**
 * A dev-server over a PGlite that somebody else opened, or over a real Postgres: as a scoped Effect, or as a layer for
 * tests. Starts and stops in milliseconds; several may run in one process. The CLI is one user of it. Never for production.
 */
import { createServer } from "node:http"
import type { PGlite } from "@electric-sql/pglite"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { connect } from "./Backend.ts"
import {
  type Database,
  isUnreachable,
  type SqlFailure,
  type StatementResult,
  type Text,
} from "./db/Database.ts"
import type { Fault } from "./faults/Fault.ts"
import { Faults } from "./faults/Faults.ts"
import { makeApp } from "./http/app.ts"
import { make as makeClock } from "./shapes/Clock.ts"
import { ShapeEngine } from "./shapes/ShapeEngine.ts"
import { durable, memory } from "./store/ShapeStore.ts"

/** How a server over a PGlite is set up. Everything but `db` has a default. */
export interface DevServerOptions extends ServerOptions {
  /** The open database. The server does not close it. */
  readonly db: PGlite
}

/** How a server over a real Postgres is set up. Everything but the URL has a default. */
export interface PostgresServerOptions extends ServerOptions {
  /** A Postgres 14 or later with `wal_level = logical`. The role must own the tables and have REPLICATION. */
  readonly databaseUrl: string
}

/** What servers over any database have in common. */
export interface ServerOptions {
  /** Port to listen on; 0 picks a free one (default). */
  readonly port?: number | undefined
  /** Address to listen on. Default `127.0.0.1`. */
  readonly host?: string | undefined
  /** Electric's API secret. Default: none is asked for. */
  readonly secret?: string | null | undefined
  /** Token that opens `POST /sql`. Default: the endpoint does not exist. */
  readonly sqlToken?: string | null | undefined
  /** Token that opens `/faults`. Default: the endpoint does not exist. */
  readonly faultToken?: string | null | undefined
  /** Faults in force from the start. Default: none. */
  readonly faults?: ReadonlyArray<Fault> | undefined
  /** How long a live request is held. Default 20 000. */
  readonly longPollTimeoutMillis?: number | undefined
  /** Bytes of JSON that close a chunk. Default 10 MiB. */
  readonly chunkBytes?: number | undefined
  /** Bytes of one shape's log beyond which it is rotated. Default 64 MiB. */
  readonly maxLogBytes?: number | undefined
  /** Shapes kept at most. Default 5 000. */
  readonly maxShapes?: number | undefined
  /** Bytes of JSON of all shapes kept in memory at most; the least recently used go first. Default 512 MiB. */
  readonly maxMemoryBytes?: number | undefined
  /**
   * Folder for snapshots too large for memory, kept for the next server under the same `captureSchema`. Default: a temporary
   * one, so that shapes with such snapshots do not outlive the server.
   */
  readonly snapshotFolder?: string | undefined
  /** Whether `DELETE /v1/shape` works. Default false. */
  readonly allowDelete?: boolean | undefined
  /**
   * Schema our tables and functions live in; on a real Postgres the publication and the replication slot have the same name.
   * Default: one of its own per server, dropped at the end. Named: kept, and with it handles and logs of the shapes, so that
   * the next server under that name goes on with them. One server per name at a time.
   */
  readonly captureSchema?: string | undefined
}

/** A running server. */
export interface DevServerHandle {
  /** `http://host:port`, without a trailing slash. */
  readonly url: string
  readonly port: number
  /** Runs one statement in a transaction of its own; parameters and values as Postgres text. */
  readonly sql: (
    statement: string,
    params?: ReadonlyArray<Text>,
  ) => Effect.Effect<StatementResult, SqlFailure>
  /** Runs a script. */
  readonly exec: (script: string) => Effect.Effect<void, SqlFailure>
  /** The faults in force; add to them to make requests fail. */
  readonly faults: Faults
  /** Shapes in service and requests waiting, for tests and status. */
  readonly counts: () => { readonly shapes: number; readonly waiters: number }
}

/** The server could not start. */
export class DevServerError extends Data.TaggedError("DevServerError")<{
  readonly reason: "listen" | "database"
  readonly message: string
  readonly cause: unknown
}> {}

const messageOf = (cause: unknown): string => {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause
  return inner instanceof Error ? inner.message : String(inner)
}

/** How long open answers may take after a stop, before their connections are cut. */
const closeGraceMillis = 500

/** Room for conditions and parameters in the URL. */
const maxHeaderBytes = 128 * 1024

/** As Electric's; shorter ones make gateways in front stumble over closed connections. */
const keepAliveMillis = 60_000

/** Starts a server that runs until the scope closes. */
export const make = (
  options: DevServerOptions | PostgresServerOptions,
): Effect.Effect<DevServerHandle, DevServerError, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = makeClock(Date.now)
    const context = yield* Effect.context<never>()
    const onFailure = (error: unknown): void =>
      void Effect.runForkWith(context)(
        isUnreachable(error)
          ? Effect.logWarning(`The database cannot be reached: ${error.message}`)
          : Effect.logError("Captured changes could not be told", error),
      )
    const backend = yield* Effect.acquireRelease(
      attemptDatabase(() => connect(options, { clock, now: Date.now, onFailure })),
      (connected) => Effect.promise(() => connected.close()),
    )
    const engine = yield* Effect.acquireRelease(
      attemptDatabase(() =>
        ShapeEngine.start({
          db: backend.engineDb,
          capture: backend.capture,
          store: backend.isLasting ? durable(backend.name) : memory,
          clock,
          now: Date.now,
          chunkBytes: options.chunkBytes ?? 10 * 1024 * 1024,
          maxLogBytes: options.maxLogBytes ?? 64 * 1024 * 1024,
          maxShapes: options.maxShapes ?? 5_000,
          maxMemoryBytes: options.maxMemoryBytes ?? 512 * 1024 * 1024,
          snapshotFolder: options.snapshotFolder ?? null,
          onFailure,
        }),
      ),
      (running) => Effect.promise(() => running.close(!backend.isLasting)),
    )
    const host = options.host ?? "127.0.0.1"
    const { db } = backend
    const faults = new Faults()
    for (const fault of options.faults ?? []) faults.add(fault)
    const port = yield* listen(options, { engine, db, faults }, host)
    return {
      url: `http://${host.includes(":") ? `[${host}]` : host}:${port}`,
      port,
      faults,
      sql: (statement, params) => attempt(() => db.transaction((sql) => sql.run(statement, params))),
      exec: (script) => attempt(() => db.exec(script)),
      counts: () => ({ shapes: engine.shapeCount, waiters: engine.waiterCount }),
    }
  })

const attemptDatabase = <A>(run: () => Promise<A>): Effect.Effect<A, DevServerError> =>
  Effect.tryPromise({
    try: run,
    catch: (cause) => new DevServerError({ reason: "database", message: messageOf(cause), cause }),
  })

/** Everything the database adapter rejects with is a {@link SqlFailure}. */
const attempt = <A>(run: () => Promise<A>): Effect.Effect<A, SqlFailure> =>
  Effect.tryPromise({ try: run, catch: (error) => error as SqlFailure })

/** What a server answers from. */
interface Served {
  readonly engine: ShapeEngine
  readonly db: Database
  readonly faults: Faults
}

const listen = Effect.fnUntraced(function* (
  options: ServerOptions,
  { engine, db, faults }: Served,
  host: string,
) {
  const node = createServer({ maxHeaderSize: maxHeaderBytes, keepAliveTimeout: keepAliveMillis })
  let isClosing = false
  const server = yield* NodeHttpServer.make(() => node, {
    port: options.port ?? 0,
    host,
    gracefulShutdownTimeout: "1 second",
  }).pipe(
    Effect.mapError((cause) => new DevServerError({ reason: "listen", message: messageOf(cause), cause })),
  )
  yield* server.serve(
    makeApp({
      engine,
      db,
      secret: options.secret ?? null,
      sqlToken: options.sqlToken ?? null,
      faults,
      faultToken: options.faultToken ?? null,
      allowDelete: options.allowDelete ?? false,
      longPollTimeoutMillis: options.longPollTimeoutMillis ?? 20_000,
      sseTimeoutMillis: 60_000,
      sseKeepAliveMillis: 21_000,
      isClosing: () => isClosing,
    }),
  )
  // Runs before the server's own finalizer, which waits for open answers: lets the waiters go, then cuts what is left.
  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      isClosing = true
      node.closeIdleConnections()
      engine.stop()
      yield* Effect.forkDetach(
        Effect.sleep(closeGraceMillis).pipe(Effect.andThen(Effect.sync(() => node.closeAllConnections()))),
      )
    }),
  )
  return server.address._tag === "UnixPathAddress" ? (options.port ?? 0) : server.address.port
})

/** The running server as a service. */
export class DevServer extends Context.Service<DevServer, DevServerHandle>()("dev-server/DevServer") {
  /** Starts a server over an open PGlite or a real Postgres. */
  static readonly layer = (
    options: DevServerOptions | PostgresServerOptions,
  ): Layer.Layer<DevServer, DevServerError> => Layer.effect(DevServer, make(options))

  /** Starts a server for the surrounding scope. */
  static readonly make = make
}

/** A dev-server over a PGlite in this process, and clients that take answers without keeping them. Knows nothing of suites. */
import { Agent, request as httpRequest } from "node:http"
import { PGlite } from "@electric-sql/pglite"
import { DevServer, type DevServerHandle, type DevServerOptions } from "@espalier/dev-server"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"

/** A running server. */
export interface RunningServer {
  readonly db: PGlite
  readonly server: DevServerHandle
  readonly stop: () => Promise<void>
}

/** @param dataDir where the database lies; in memory without one. */
export const startServer = async (
  options: Partial<DevServerOptions> = {},
  dataDir?: string,
): Promise<RunningServer> => {
  const db = await PGlite.create(dataDir === undefined ? {} : { dataDir })
  const scope = Scope.makeUnsafe()
  const server = await Effect.runPromise(DevServer.make({ db, ...options }).pipe(Scope.provide(scope)))
  return {
    db,
    server,
    stop: async () => {
      await Effect.runPromise(Scope.close(scope, Exit.void))
      await db.close()
    },
  }
}

/** What an answer told. */
export interface Taken {
  readonly status: number
  readonly handle: string
  readonly offset: string
  readonly bytes: number
  /** Milliseconds to the first byte of the body. */
  readonly firstByteMillis: number
}

const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })

/** Makes a request to the shape API and throws its body away. */
export const take = (url: string, query: Readonly<Record<string, string>>): Promise<Taken> =>
  new Promise((resolve, reject) => {
    const start = performance.now()
    const outgoing = httpRequest(`${url}/v1/shape?${new URLSearchParams(query)}`, { agent }, (incoming) => {
      let [bytes, firstByteMillis] = [0, 0]
      incoming.on("data", (piece: Buffer) => {
        if (bytes === 0) firstByteMillis = performance.now() - start
        bytes += piece.byteLength
      })
      incoming.once("error", reject)
      incoming.once("end", () =>
        resolve({
          status: incoming.statusCode ?? 0,
          handle: String(incoming.headers["electric-handle"]),
          offset: String(incoming.headers["electric-offset"]),
          bytes,
          firstByteMillis,
        }),
      )
    })
    outgoing.once("error", reject)
    outgoing.end()
  })

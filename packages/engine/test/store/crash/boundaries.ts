/**
 * A PGlite that can be watched at every statement boundary: before each statement, also inside a message of many, and behind the
 * last. Exists so that a crash test can look at what is on disk at each of them. It changes nothing: a message is sent in
 * pieces, which Postgres takes for the same message. Used by `crashPoints.ts`.
 */
import type { PGlite } from "@electric-sql/pglite"
import type { PgliteDatabase } from "../../../src/adapters/pglite/index.ts"

/** Called at a boundary with what comes next. */
export type AtBoundary = (next: string) => void

interface Piece {
  readonly bytes: Uint8Array
  readonly label: string
}

const letter = (type: number): string => String.fromCharCode(type)

const cString = (bytes: Uint8Array, from: number): string =>
  new TextDecoder().decode(bytes.subarray(from, bytes.indexOf(0, from)))

/** Statements of a message of the frontend protocol: each ends with its Execute, Query, CopyDone or Sync. */
export const pieces = (message: Uint8Array, statements: Map<string, string>): ReadonlyArray<Piece> => {
  const found: Array<Piece> = []
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength)
  let start = 0
  let label = ""
  for (let at = 0; at < message.length;) {
    const type = letter(message[at] ?? 0)
    const end = at + 1 + view.getInt32(at + 1)
    const body = at + 5
    if (type === "P") {
      const name = cString(message, body)
      label = cString(message, body + new TextEncoder().encode(name).length + 1)
      statements.set(name, label)
    }
    if (type === "B") {
      const portal = cString(message, body)
      label = statements.get(cString(message, body + portal.length + 1)) ?? label
    }
    if (type === "Q") label = cString(message, body)
    if (type === "S") label = "sync"
    const isCopy = type === "Q" && ["d", "c", "f"].includes(letter(message[end] ?? 0))
    if (["E", "Q", "S", "c"].includes(type) && !isCopy) {
      found.push({ bytes: message.slice(start, end), label: label.replace(/\s+/g, " ").slice(0, 60) })
      start = end
    }
    at = end
  }
  if (start < message.length) found.push({ bytes: message.slice(start), label: "rest" })
  return found
}

/** The database, watched. `raw` false: only through its `transaction`, as where the raw protocol is not to be had. */
export const watched = (pglite: PGlite, at: AtBoundary, raw = true): PgliteDatabase => {
  const syncToFs = async (): Promise<void> => {
    at("flush")
    await pglite.syncToFs()
    at("flushed")
  }
  const transaction: PgliteDatabase["transaction"] = (body) =>
    pglite.transaction(async (tx) => {
      const seen = new Proxy(tx, {
        get: (target, name) => {
          if (name !== "query" && name !== "exec") return Reflect.get(target, name) as unknown
          return (sql: string, ...rest: ReadonlyArray<never>) => {
            at(sql.replace(/\s+/g, " ").slice(0, 60))
            return target[name](sql, ...rest)
          }
        },
      })
      const value = await body(seen)
      at("commit")
      return value
    })
  if (!raw) return { syncToFs, transaction }
  const statements = new Map<string, string>()
  return {
    syncToFs,
    transaction,
    _runExclusiveTransaction: (body) => pglite._runExclusiveTransaction(body),
    execProtocol: async (message, options) => {
      const messages: Awaited<ReturnType<PGlite["execProtocol"]>>["messages"] = []
      let failure: unknown = null
      for (const { bytes, label } of pieces(message, statements)) {
        at(label)
        try {
          messages.push(...(await pglite.execProtocol(bytes, options)).messages)
        } catch (error) {
          // The rest is sent as well: Postgres skips it up to the Sync.
          failure ??= error
        }
      }
      at("answered")
      if (failure !== null) throw failure
      return { messages, data: new Uint8Array() }
    },
  }
}

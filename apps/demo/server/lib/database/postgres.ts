/**
 * The database port on a real Postgres, by `pg`. Used when DATABASE_URL is set. It never puts the URL (which holds a
 * password) in an error or a log line.
 */
import pg from "pg"
import { HttpProblem } from "../http/HttpProblem.ts"
import type { Database, TextRow } from "./Database.ts"

/** SQLSTATE of a Postgres error, or the code of a socket error. */
const codeOf = (cause: unknown): string =>
  cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : ""

/** Turns what `pg` throws into a problem: class 23 is a broken constraint, class 22 a bad value. */
export const problemOfPostgres = (cause: unknown): HttpProblem => {
  const code = codeOf(cause)
  const message = cause instanceof Error ? cause.message : String(cause)
  if (code.startsWith("23")) return new HttpProblem("conflict", message, { cause })
  if (code.startsWith("22")) return new HttpProblem("bad_request", message, { cause })
  // Class 08 connection, 53 resources, 57P shutdown; everything without five characters comes from the socket.
  if (/^(08|53|57P)/.test(code) || code.length !== 5) {
    return new HttpProblem("database_unreachable", "The server's database does not answer.", { cause })
  }
  return new HttpProblem("database_refused", message, { cause })
}

/** Leaves every value as Postgres wrote it. */
const asText = { getTypeParser: () => (value: string) => value }

/** Opens a small pool. Connections are made on first use. */
export const postgresDatabase = (url: string): Database => {
  const pool = new pg.Pool({ connectionString: url, max: 4, connectionTimeoutMillis: 5_000, types: asText })
  // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
  pool.on("error", (error) => console.error(`Idle database connection lost: ${error.message}`))
  return {
    transaction: async (statements) => {
      const client = await pool.connect().catch((cause: unknown) => {
        throw problemOfPostgres(cause)
      })
      let broken = false
      try {
        await client.query("begin")
        const results = []
        for (const statement of statements) {
          const result = await client.query<TextRow>(statement.sql, [...(statement.params ?? [])])
          results.push({ rows: result.rows })
        }
        await client.query("commit")
        return results
      } catch (cause) {
        await client.query("rollback").catch(() => {
          broken = true
        })
        throw problemOfPostgres(cause)
      } finally {
        client.release(broken)
      }
    },
    close: () => pool.end(),
  }
}

/** Databases recorded scenarios are replayed on: statements of a step on PGlite, and on the sessions of a real Postgres. */
import type { PGlite } from "@electric-sql/pglite"
import type pg from "pg"
import type { Step } from "./golden.ts"

/** Some scenarios roll back on purpose. */
const isMeant = (error: unknown, step: Step): boolean =>
  /ROLLBACK|rolled back|aborted/iu.test(`${String(error)} ${(step.sql ?? []).join(" ")}`)

/** Runs steps on a PGlite, which has one session. */
export const sqlOnPGlite =
  (db: PGlite) =>
  async (step: Step): Promise<void> => {
    const statements = step.sql ?? []
    if (step.mode !== "transaction") {
      for (const statement of statements) await db.exec(statement)
      return
    }
    await db
      .transaction(async (tx) => {
        for (const statement of statements) await tx.exec(statement)
      })
      .catch((error: unknown) => {
        if (!isMeant(error, step)) throw error
      })
  }

/** The sessions of one scenario on a real Postgres. */
export class PostgresSessions {
  readonly #pool: pg.Pool
  readonly #named = new Map<string, pg.PoolClient>()

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  readonly run = async (step: Step): Promise<void> => {
    const statements = step.sql ?? []
    if (step.mode === "raw") {
      const client = await this.#session(step.session ?? "")
      for (const statement of statements) await client.query(statement)
      return
    }
    const client = await this.#pool.connect()
    try {
      if (step.mode === "transaction") await client.query("begin")
      for (const statement of statements) await client.query(statement)
      if (step.mode === "transaction") await client.query("commit")
    } catch (error) {
      await client.query("rollback")
      if (!isMeant(error, step)) throw error
    } finally {
      client.release()
    }
  }

  async #session(name: string): Promise<pg.PoolClient> {
    const known = this.#named.get(name)
    if (known !== undefined) return known
    const client = await this.#pool.connect()
    this.#named.set(name, client)
    return client
  }

  /** Ends named sessions, and with them what they hold open. */
  close(): void {
    for (const client of this.#named.values()) client.release(true)
    this.#named.clear()
  }
}

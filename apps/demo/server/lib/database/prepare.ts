/**
 * Creates schema (and, for a demo, seed) where a real Postgres is empty. Both files are idempotent, and an advisory lock keeps two servers
 * that start together from doing it at once. Called once, when the server starts with DATABASE_URL.
 */
import { rowsOf, type Database } from "./Database.ts"

/** The SQL of `db/schema.sql`, and of `db/seed.sql` where example people are wanted. */
export interface DatabaseFiles {
  readonly schema: string
  readonly seed: string | null
}

/** Any number all servers of this demo agree on. */
const lockKey = 4_604_604

/** Splits a file into statements at semicolons that end a line, keeping `$tag$ … $tag$` bodies whole. */
export const splitStatements = (file: string): ReadonlyArray<string> => {
  const statements: Array<string> = []
  let current = ""
  let inBody = false
  for (const line of file.split("\n")) {
    if (!inBody && line.trimStart().startsWith("--")) continue
    current += `${line}\n`
    if ((line.match(/\$\w*\$/g)?.length ?? 0) % 2 === 1) inBody = !inBody
    if (!inBody && line.trimEnd().endsWith(";")) {
      statements.push(current.trim())
      current = ""
    }
  }
  if (current.trim() !== "") statements.push(current.trim())
  return statements
}

/** Returns true when the schema was missing and has been created. */
export const prepareDatabase = async (database: Database, files: DatabaseFiles): Promise<boolean> => {
  const lock = { sql: "select pg_advisory_xact_lock($1::bigint)::text as locked", params: [lockKey] }
  const present = await rowsOf(database, "select (to_regclass('users') is not null)::text as present")
  const missing = present[0]?.["present"] !== "true"
  await database.transaction([
    lock,
    ...[...splitStatements(files.schema), ...splitStatements(files.seed ?? "")].map((sql) => ({ sql })),
  ])
  return missing
}

/**
 * Tells a refused row from a failing store. Exists because the first halts one instance and the second stops the engine's
 * writes: a full disk must never be reported as a bad row. Pure; called where statements fail.
 */
import { StoreError } from "../../ports/LocalStore.ts"

/** The SQLSTATE of a Postgres error, or "" when it is none. */
export const sqlState = (error: unknown): string =>
  typeof error === "object" && error !== null && "code" in error && typeof error.code === "string"
    ? error.code
    : ""

/**
 * Classes that say something about a statement's data or names (SQLSTATE appendix A): data exception, integrity, cardinality,
 * syntax or missing name, program limit. Everything else is the store's trouble.
 */
const rowClasses: ReadonlySet<string> = new Set(["21", "22", "23", "42", "54"])

/** Postgres refused values of a share, not the store as a whole. */
export const isRowError = (error: unknown): boolean =>
  /^[0-9A-Z]{5}$/.test(sqlState(error)) && rowClasses.has(sqlState(error).slice(0, 2))

const kindOf = (error: unknown): StoreError["kind"] => {
  const state = sqlState(error)
  const text = error instanceof Error ? `${error.name} ${error.message}` : String(error)
  if (state === "53100" || /ENOSPC|No space left|QuotaExceeded|quota/i.test(`${state} ${text}`))
    return "quota"
  if (state.startsWith("XX00") && state !== "XX000") return "corrupt"
  return state.startsWith("42") || state.startsWith("3F") ? "schema" : "unavailable"
}

/** The failure of a whole operation. */
export const storeError =
  (operation: string) =>
  (cause: unknown): StoreError =>
    cause instanceof StoreError ? cause : new StoreError({ operation, kind: kindOf(cause), cause })

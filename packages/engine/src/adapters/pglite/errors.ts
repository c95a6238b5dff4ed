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
 * Classes that say something about the store as a whole (SQLSTATE appendix A): connection, transaction state, statement names,
 * rollback, resources, objects in use, intervention, system, configuration, internal. Everything else is about a statement's data or
 * names, or comes from a trigger of the app, which may raise any code it likes: that is the trouble of one instance.
 */
const storeClasses: ReadonlySet<string> = new Set([
  "08",
  "25",
  "26",
  "40",
  "53",
  "55",
  "57",
  "58",
  "F0",
  "XX",
])

/** Postgres, or a trigger of the app, refused values of a share: not the store as a whole. */
export const isRowError = (error: unknown): boolean =>
  /^[0-9A-Z]{5}$/.test(sqlState(error)) && !storeClasses.has(sqlState(error).slice(0, 2))

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

/** Division by zero: a statement's guard found a row not as it was taken for. */
export const guardFailed = "22012"

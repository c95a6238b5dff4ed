/**
 * Reads the environment once, at start, into typed settings, and says what is wrong with it in a sentence. It must not be read
 * at build time: the built server serves any environment. Called by the server plugin and by tests.
 */
import { dirname, join, resolve } from "node:path"

/** How the page server reaches the database behind the shapes. */
export type DatabaseSettings =
  | { readonly kind: "postgres"; readonly url: string }
  | { readonly kind: "dev-server"; readonly url: string; readonly token: string }

export interface Settings {
  /** Sign-in without a password and `/api/server/*` exist only when this is true. */
  readonly demo: boolean
  readonly electric: { readonly url: string; readonly secret: string | null }
  readonly database: DatabaseSettings
  readonly sessionSecret: string | undefined
  /** Prefix of the local database's name in the browser. */
  readonly pgliteName: string
  /** Where the session secret is kept when the environment has none. */
  readonly dataDir: string
}

export type Environment = Readonly<Record<string, string | undefined>>

const present = (value: string | undefined): string | undefined =>
  value === undefined || value.trim() === "" ? undefined : value.trim()

const httpUrl = (name: string, value: string): string => {
  const url = URL.canParse(value) ? new URL(value) : null
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new Error(`${name} must be an http(s) URL such as http://localhost:30000, not "${value}".`)
  }
  return value.replace(/\/+$/, "")
}

const databaseSettings = (env: Environment): DatabaseSettings => {
  const postgres = present(env["DATABASE_URL"])
  if (postgres !== undefined) {
    if (!/^postgres(ql)?:\/\//.test(postgres)) throw new Error("DATABASE_URL must start with postgresql://.")
    return { kind: "postgres", url: postgres }
  }
  const url = present(env["DEV_SQL_URL"])
  const token = present(env["DEV_SQL_TOKEN"])
  if (url === undefined || token === undefined) {
    throw new Error("Set DATABASE_URL, or DEV_SQL_URL and DEV_SQL_TOKEN. `pnpm demo` sets them for you.")
  }
  return { kind: "dev-server", url: httpUrl("DEV_SQL_URL", url), token }
}

/** `.data` beside `.output` for a built server, wherever it was started from; otherwise below the working directory. */
export const dataDirOf = (entry: string | undefined, cwd: string): string => {
  const built = entry !== undefined && /[/\\]\.output[/\\]server[/\\]index\.mjs$/.test(entry)
  return built ? join(dirname(entry), "..", "..", ".data") : resolve(cwd, ".data")
}

/** All settings. @throws Error that names the variable and what it should be. */
export const readSettings = (env: Environment, entry: string | undefined, cwd: string): Settings => {
  const electricUrl = present(env["ELECTRIC_URL"])
  if (electricUrl === undefined) throw new Error("Set ELECTRIC_URL. `pnpm demo` sets it for you.")
  const name = present(env["PGLITE_DB_NAME"]) ?? "espalier"
  if (!/^[\w-]{1,40}$/.test(name)) {
    throw new Error("PGLITE_DB_NAME must be 1 to 40 letters, digits, hyphens or underscores.")
  }
  return {
    demo: present(env["DEMO"]) === "true",
    electric: {
      url: httpUrl("ELECTRIC_URL", electricUrl),
      secret: present(env["ELECTRIC_SECRET"]) ?? present(env["ELECTRIC_API_KEY"]) ?? null,
    },
    database: databaseSettings(env),
    sessionSecret: present(env["SESSION_SECRET"]),
    pgliteName: name,
    dataDir: present(env["DEMO_DATA_DIR"]) ?? dataDirOf(entry, cwd),
  }
}

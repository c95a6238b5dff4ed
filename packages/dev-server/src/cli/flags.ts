/** Reads the command line of `dev-server`. Pure: answers what was asked, or what is wrong with it. */

import { type Fault, readFaultOption } from "../faults/Fault.ts"

/** What the command line asks for. */
export interface Flags {
  readonly port: number
  readonly host: string
  /** `null` for a database in memory. */
  readonly dataDir: string | null
  /** A real Postgres instead of an embedded one; `null` for the embedded one. */
  readonly databaseUrl: string | null
  /** Name under which shapes are kept in a real Postgres; `null` to keep nothing. */
  readonly keep: string | null
  /** Name whose shapes, slot and publication to remove, instead of starting a server. */
  readonly forget: string | null
  /** Folder of prepared databases; `null` for the one in `node_modules`. Only from the environment. */
  readonly cacheDir: string | null
  readonly seeds: ReadonlyArray<string>
  readonly secret: string | null
  readonly sqlToken: string | null
  readonly longPollTimeoutMillis: number
  readonly chunkBytes: number
  readonly allowDelete: boolean
  readonly faults: ReadonlyArray<Fault>
  readonly faultToken: string | null
  readonly isJson: boolean
  readonly isHelp: boolean
}

/** Port when none is given; Electric's development port. */
const defaultPort = 30_000

export const help = `espalier dev-server: answers as Electric does, on an embedded Postgres. For development and tests only.

  --port N                 port to listen on; 0 picks a free one (default ${defaultPort})
  --host H                 address to listen on (default 127.0.0.1)
  --data-dir D             keep the database in directory D (default: in memory)
  --database-url U         use this Postgres (14 or later, wal_level = logical) instead of the embedded one
  --keep NAME              with --database-url: keep shapes under NAME, so that they survive a restart
  --forget NAME            with --database-url: remove what --keep NAME left in the database, then exit
  --seed F                 SQL file to run where the database has no tables yet; may be repeated
  --secret S               ask for this API secret on /v1/shape
  --sql-token T            open POST /sql for requests with header x-espalier-dev: T (also ESPALIER_SQL_TOKEN)
  --long-poll-timeout MS   how long live requests are held (default 20000)
  --chunk-bytes N          bytes of JSON that close a chunk (default 10485760)
  --allow-delete           allow DELETE /v1/shape
  --fault F                make requests fail: latency=MS, drop, reset, status=409|429|503 or stale, then any of
                           retry-after=S, table=T, handle=H, live=true|false, rate=0..1, times=N; may be repeated
  --fault-token T          open /faults for requests with header x-espalier-dev: T (also ESPALIER_FAULT_TOKEN)
  --json                   log as JSON lines on stderr
  --help                   print this

New databases are unpacked from a prepared one, kept in node_modules/.cache/espalier-dev-server (ESPALIER_CACHE_DIR moves it).
`

/** The command line, or the sentence that says what is wrong with it. */
export type FlagsReading =
  | { readonly flags: Flags; readonly problem?: never }
  | { readonly problem: string; readonly flags?: never }

const valued = [
  "--port",
  "--host",
  "--data-dir",
  "--database-url",
  "--keep",
  "--forget",
  "--seed",
  "--secret",
  "--sql-token",
  "--long-poll-timeout",
  "--chunk-bytes",
  "--fault",
  "--fault-token",
]
const switches = ["--allow-delete", "--json", "--help"]

/** `env` supplies the tokens where no flag does, and the cache folder. */
export const readFlags = (
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string | undefined>>,
): FlagsReading => {
  const values = new Map<string, Array<string>>()
  for (let at = 0; at < args.length; at += 1) {
    const [name = "", inline] = splitFlag(args[at] ?? "")
    if (switches.includes(name) && inline === undefined) {
      values.set(name, [])
      continue
    }
    if (!valued.includes(name)) return { problem: `Unknown option ${args[at]}. See --help.` }
    const value = inline ?? args[(at += 1)]
    if (value === undefined || value === "") return { problem: `Option ${name} needs a value.` }
    values.set(name, [...(values.get(name) ?? []), value])
  }
  return readValues(values, env)
}

const splitFlag = (arg: string): readonly [string, string | undefined] => {
  const at = arg.indexOf("=")
  return at < 0 || !arg.startsWith("--") ? [arg, undefined] : [arg.slice(0, at), arg.slice(at + 1)]
}

const readValues = (
  values: ReadonlyMap<string, ReadonlyArray<string>>,
  env: Readonly<Record<string, string | undefined>>,
): FlagsReading => {
  const last = (name: string): string | null => values.get(name)?.at(-1) ?? null
  const whole = (name: string, fallback: number, low: number, high: number): number | string => {
    const text = last(name)
    if (text === null) return fallback
    const value = Number(text)
    return /^\d+$/u.test(text) && value >= low && value <= high
      ? value
      : `Option ${name} must be a whole number from ${low} to ${high}, not "${text}".`
  }
  const port = whole("--port", defaultPort, 0, 65_535)
  const timeout = whole("--long-poll-timeout", 20_000, 1, 3_600_000)
  const chunk = whole("--chunk-bytes", 10 * 1024 * 1024, 1, 1024 * 1024 * 1024)
  const faults: Array<Fault> = []
  for (const option of values.get("--fault") ?? []) {
    const { fault, problem } = readFaultOption(option)
    if (fault === undefined) return { problem: `Option --fault ${option}: ${problem}.` }
    faults.push(fault)
  }
  for (const value of [port, timeout, chunk]) if (typeof value === "string") return { problem: value }
  const problem = databaseProblem(last)
  if (problem !== null) return { problem }
  return {
    flags: {
      port: Number(port),
      host: last("--host") ?? "127.0.0.1",
      dataDir: last("--data-dir"),
      databaseUrl: last("--database-url"),
      keep: last("--keep"),
      forget: last("--forget"),
      cacheDir: env["ESPALIER_CACHE_DIR"] || null,
      seeds: values.get("--seed") ?? [],
      secret: last("--secret"),
      sqlToken: last("--sql-token") ?? (env["ESPALIER_SQL_TOKEN"] || null),
      longPollTimeoutMillis: Number(timeout),
      chunkBytes: Number(chunk),
      allowDelete: values.has("--allow-delete"),
      faults,
      faultToken: last("--fault-token") ?? (env["ESPALIER_FAULT_TOKEN"] || null),
      isJson: values.has("--json"),
      isHelp: values.has("--help"),
    },
  }
}

/** Names of slots are limited to these characters; ours is also a schema, which may not begin with `pg_`. */
const keepable = /^(?!pg_)[a-z_][a-z0-9_]{0,62}$/u

/** What contradicts itself about the database. */
const databaseProblem = (last: (name: string) => string | null): string | null => {
  const url = last("--database-url")
  if (url !== null && !/^postgres(ql)?:\/\//u.test(url)) {
    return `Option --database-url must be postgres://…, not "${url}".`
  }
  if (url !== null && last("--data-dir") !== null)
    return "Options --database-url and --data-dir exclude each other."
  for (const name of ["--keep", "--forget"]) {
    const value = last(name)
    if (value === null) continue
    if (url === null) return `Option ${name} needs --database-url.`
    if (!keepable.test(value))
      return `Option ${name} must be lower-case letters, digits and _, not "${value}".`
  }
  return null
}

/**
 * How a PGlite is started so that loads are fast and its write-ahead log stays small (PGlite reference §5). Exists because the
 * defaults are those of a server: 16 MB log segments that are never given back, 128 MB of buffers, and files that are grown by
 * `posix_fallocate`, which in a file system that lives in memory copies the whole file each time. Hosts, tests and benchmarks pass
 * the result to `PGlite.create`; nothing here opens a database.
 */

/** The part of `PGliteOptions` that is ours. */
export interface DatabaseSettings {
  /** For initdb: what is written into a new data directory and holds for its whole life. */
  readonly initDbStartParams: Array<string>
  /** For each start, also of a directory that was made without us. */
  readonly startParams: Array<string>
}

const set = (name: string, value: string): ReadonlyArray<string> => ["-c", `${name}=${value}`]

/** Halves the time of a bulk load in memory and in IndexedDB; see above. */
const everyStart = set("file_extend_method", "write_zeros")

/** Limits that fit 1 MB segments only: a directory with 16 MB segments would not start with them, so initdb stores them. */
const newDirectory = [
  "--wal-segsize=1",
  ...set("min_wal_size", "4MB"),
  ...set("max_wal_size", "16MB"),
  ...set("shared_buffers", "32MB"),
  ...everyStart,
]

/** Options for `PGlite.create`; `defaults` is `PGlite.defaultStartParams`, which a list of our own would replace. */
export const databaseSettings = (defaults: ReadonlyArray<string>): DatabaseSettings => ({
  initDbStartParams: [...newDirectory],
  startParams: [...defaults, ...everyStart],
})

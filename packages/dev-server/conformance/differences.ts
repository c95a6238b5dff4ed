/**
 * Where servers differ on purpose: cases that are left out on one of them, each with its reason. Data only. A case named
 * here that does not exist fails the run, so that the list cannot rot.
 */

/** Servers the suite knows, by the start of their `electric-server` header. */
export type ServerKind = "dev-server" | "electric"

/** One case that a server is not held to. */
export interface Difference {
  readonly server: ServerKind
  /** A case's id, or the start of several ids before `*`. */
  readonly id: string
  readonly reason: string
}

/** Which kind a server is. */
export const kindOf = (serverHeader: string | null): ServerKind =>
  serverHeader?.startsWith("ElectricSQL") === true ? "electric" : "dev-server"

export const differences: ReadonlyArray<Difference> = [
  { server: "electric", id: "46-key-*", reason: "every key of a body overrides the URL (reference §1.2)" },
  {
    server: "electric",
    id: "44-or-in-base",
    reason: "an OR in the base escapes the subset (reference §4.9)",
  },
  {
    server: "electric",
    id: "49-preflight-headers",
    reason: "preflights echo other headers only (reference §2.1)",
  },
  { server: "electric", id: "50-cors-on-401", reason: "a 401 has no CORS headers (reference §1.3)" },
  { server: "electric", id: "62-bool", reason: "snapshots spell booleans true and false (reference §3.1)" },
  {
    server: "electric",
    id: "29-add-column",
    reason: "the first answer after the DDL may still be a 200 (reference §13.6)",
  },
  {
    server: "electric",
    id: "23-where-log-*",
    reason: "catch-up right after a live answer of another shape may come too early (reference §13.2)",
  },
  {
    server: "electric",
    id: "38-rounded",
    reason: "the rest of a transaction comes again and the stream closes at once (reference §4.4)",
  },
  { server: "electric", id: "11-now", reason: "words of the refusal are not recorded" },
  {
    server: "electric",
    id: "54-cut-transaction",
    reason: "catch-up right after a live answer of another shape may come too early (reference §13.2)",
  },
]

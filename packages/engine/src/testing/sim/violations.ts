/**
 * The invariants a simulated run is held to, by name, with the number `SPEC.md` gives them where it has one. A run ends at the first
 * violation. Data only.
 */

export const invariants = {
  "one-run-per-instance": "I1: one run per instance at a time",
  "rows-match-checkpoint": "I2: an instance holds exactly the rows its stored handle and offset stand for",
  "checkpoint-exists": "I2: a stored handle is one the server gave out",
  "offset-never-back": "I3: a stored offset never goes back under its handle",
  "status-honest": "I4: Live means that an up-to-date is committed and its rows are readable",
  "retry-floor": "I5, I6: nothing is asked again before its floor, nor before Retry-After",
  "runs-only-desired": "I8: a run exists only for an instance that is desired and not paused",
  "nothing-left": "I10: a closed engine leaves no request, run, slot or timer",
  "ancestors-first": "I12: after a gap nothing commits before an up-to-date of its ancestors",
  "revoked-goes-first": "I12: after a gap what was revoked goes before anything new is readable",
  "log-waits": "I11: log becomes readable only at an up-to-date, a first snapshot also part by part",
  "revoked-goes-as-one": "I13: a collected instance takes along what only its rows demanded",
  "no-blink": "a refetch keeps the old rows readable until the swap",
  "provenance-exact": "a row is readable iff an instance holds it",
  "row-was-real": "a readable row is one the server had, never a mixture",
  "no-going-back": "a readable row is never older than a holder knows, nor than what was shown",
  "no-rejected-share": "the store refuses nothing that a sound server sent",
  "changes-are-told": "a commit names every table whose rows it changed",
  wiped: "a wipe leaves nothing",
  "connection-budget": "at most maxConnections requests are open",
  converges:
    "with the trouble over, everything desired is live within bounded time and holds exactly its rows",
  "undesired-goes": "what nobody asks for is gone after keepFor",
  "no-crash": "nothing in the engine throws",
} as const

export type InvariantName = keyof typeof invariants

export interface Violation {
  readonly invariant: InvariantName
  readonly message: string
  /** Virtual milliseconds since the start of the run. */
  readonly atMillis: number
}

export type Report = (invariant: InvariantName, message: string) => void

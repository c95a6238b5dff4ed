/** Tells a person when rows may not last. Quoted by `docs/offline.md`. */
import type { EngineClient } from "@espalier/worker"

// #region storage
/** Calls `tell` with a sentence whenever there is something to say about the storage, and with null when there is not. */
export const warnOfStorage = (client: EngineClient, tell: (sentence: string | null) => void): (() => void) =>
  client.onStorage(({ backend, evictions, level, reason }) => {
    if (backend === "memory") tell(`Rows last until this tab is closed: ${reason}`)
    else if (level === "full") tell("This device has no space left: rows may be missing.")
    else if (evictions.length > 0) tell("Rows that nobody looked at were given up for space.")
    else tell(level === "ok" ? null : "This device is short of space.")
  })
// #endregion

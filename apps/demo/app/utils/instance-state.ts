/**
 * What a page says about some instances of a node: one word, one age, one error. The engine rolls up whole nodes; a company's page
 * needs the same for its own instances only. Pure.
 */
import type { InstanceStatus, Rollup, StatusError } from "@espalier/engine/protocol"

/** The roll-up word of one instance. */
export const stateOfInstance = (instance: InstanceStatus): Rollup => {
  const held = instance.lastUpToDateAt !== null
  switch (instance.state) {
    case "Live":
      return "live"
    case "Pending":
    case "Initial":
      return held ? "stale" : "loading"
    case "Syncing":
    case "Refetching":
      return held ? "stale" : "loading"
    case "Backoff":
      return held ? "stale" : "error"
    case "Paused":
      return instance.pauseReasons.includes("offline") ? "offline" : "blocked"
    case "Halted":
      return "error"
    case "Draining":
      return "idle"
  }
}

const worstFirst: ReadonlyArray<Rollup> = ["error", "blocked", "offline", "loading", "stale", "idle", "live"]

/** The worst word of several instances; `loading` while there are none and the parent is still on its way. */
export const stateOfInstances = (instances: ReadonlyArray<InstanceStatus>): Rollup => {
  const words = new Set(instances.map(stateOfInstance))
  return worstFirst.find((word) => words.has(word)) ?? "loading"
}

/** The first error among them. */
export const errorOfInstances = (instances: ReadonlyArray<InstanceStatus>): StatusError | null =>
  instances.find((instance) => instance.error !== null)?.error ?? null

/** When everything shown was last known to equal the server: the oldest of them, null when one never was. */
export const oldestUpToDate = (instances: ReadonlyArray<InstanceStatus>): number | null => {
  let oldest: number | null = null
  for (const { lastUpToDateAt } of instances) {
    if (lastUpToDateAt === null) return null
    oldest = oldest === null ? lastUpToDateAt : Math.min(oldest, lastUpToDateAt)
  }
  return oldest
}

/** Words for a state, as a person reads them. */
export const wordOf: Readonly<Record<Rollup, string>> = {
  idle: "Idle",
  loading: "Syncing",
  live: "Live",
  stale: "Catching up",
  offline: "Offline",
  blocked: "Paused",
  error: "Problem",
}

import type { InstanceStatus } from "@espalier/engine/protocol"
import { describe, expect, it } from "vitest"
import { errorOfInstances, oldestUpToDate, stateOfInstances } from "../app/utils/instance-state.ts"

const instance = (part: Partial<InstanceStatus>): InstanceStatus => ({
  key: "company-1",
  node: "companies",
  table: "companies",
  bindings: { id: "1" },
  hash: "",
  state: "Live",
  since: 0,
  attempt: 0,
  nextAttemptAt: null,
  error: null,
  rows: 1,
  bytes: 0,
  requests: 0,
  handle: null,
  offset: null,
  lastUpToDateAt: 100,
  slot: false,
  leases: 0,
  demandedBy: [],
  pauseReasons: [],
  desired: true,
  ...part,
})
const error = { reason: "Network", message: "refused" }

describe("state of a company's instances", () => {
  it("is live only when all are", () => {
    expect(stateOfInstances([instance({}), instance({})])).toBe("live")
    expect(stateOfInstances([instance({}), instance({ state: "Refetching" })])).toBe("stale")
  })

  it("is loading while there are none, or one was never up to date", () => {
    expect(stateOfInstances([])).toBe("loading")
    expect(stateOfInstances([instance({ state: "Syncing", lastUpToDateAt: null })])).toBe("loading")
  })

  it("says worst news first", () => {
    const halted = instance({ state: "Halted", error })
    expect(stateOfInstances([instance({ state: "Syncing", lastUpToDateAt: null }), halted])).toBe("error")
    expect(errorOfInstances([instance({}), halted])).toEqual(error)
  })

  it("tells rows that may be old from rows that never came", () => {
    expect(stateOfInstances([instance({ state: "Backoff", error })])).toBe("stale")
    expect(stateOfInstances([instance({ state: "Backoff", error, lastUpToDateAt: null })])).toBe("error")
  })

  it("names a pause by its reason", () => {
    expect(stateOfInstances([instance({ state: "Paused", pauseReasons: ["offline"] })])).toBe("offline")
    expect(stateOfInstances([instance({ state: "Paused", pauseReasons: ["manual"] })])).toBe("blocked")
  })

  it("is as old as the oldest, and of unknown age when one was never up to date", () => {
    expect(oldestUpToDate([instance({}), instance({ lastUpToDateAt: 50 })])).toBe(50)
    expect(oldestUpToDate([instance({}), instance({ lastUpToDateAt: null })])).toBeNull()
    expect(oldestUpToDate([])).toBeNull()
  })
})

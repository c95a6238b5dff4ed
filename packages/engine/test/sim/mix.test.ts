/**
 * The fault mix holds everything that the documentation says it does: each kind of event, fault, error and setting comes up in the plans
 * of a few hundred seeds. A kind that is added to the language and never drawn fails here.
 */
import { expect, it } from "vitest"
import { graph } from "../../examples/issues.graph.ts"
import type { Fault } from "../../src/testing/model/faults.ts"
import type { SimEvent } from "../../src/testing/sim/events.ts"
import { type Plan, planOf } from "../../src/testing/index.ts"

const seeds = 400
const plans: ReadonlyArray<Plan> = Array.from({ length: seeds }, (_, index) => planOf(index + 1, { graph }))
const events = plans.flatMap((plan) => plan.events)
const of = <Tag extends SimEvent["_tag"]>(tag: Tag) =>
  events.filter((event): event is Extract<SimEvent, { readonly _tag: Tag }> => event._tag === tag)

/** Every kind there is: the type knows when one is missing here. */
const kinds: Readonly<Record<SimEvent["_tag"], true>> = {
  Advance: true,
  Begin: true,
  ClockJump: true,
  Commit: true,
  Fault: true,
  HandOver: true,
  Host: true,
  Kill: true,
  Lease: true,
  Params: true,
  Pause: true,
  Refetch: true,
  Resume: true,
  Retry: true,
  Rotate: true,
  SchemaChange: true,
  ServerRestart: true,
  StoreFault: true,
  TokenExpired: true,
  Unlease: true,
  Wipe: true,
}

const faults: Readonly<Record<Fault["kind"], true>> = {
  conflict: true,
  cut: true,
  drop: true,
  hang: true,
  nonsense: true,
  repeat: true,
  reset: true,
  slow: true,
  stale: true,
  status: true,
  tiny: true,
}

const sorted = (names: Iterable<string>): ReadonlyArray<string> => [...new Set(names)].toSorted()

it("draws every kind of event", () => {
  expect(sorted(events.map(({ _tag }) => _tag))).toEqual(sorted(Object.keys(kinds)))
})

it("draws every kind of fault, every error status, and storms that strike every request", () => {
  const drawn = of("Fault").map(({ fault }) => fault)
  expect(sorted(drawn.map(({ kind }) => kind))).toEqual(sorted(Object.keys(faults)))
  const statuses = drawn.flatMap((fault) => (fault.kind === "status" ? [String(fault.status)] : []))
  expect(sorted(statuses)).toEqual(["400", "401", "403", "429", "500", "503"])
  expect(of("Fault").some(({ fault, share }) => fault.kind === "conflict" && share === 1)).toBe(true)
})

it("draws every failure of the store, and deaths before and after a write", () => {
  const failures = of("StoreFault")
  expect(sorted(failures.map(({ operation }) => operation))).toEqual([
    "collect",
    "commit",
    "discardStage",
    "read",
  ])
  expect(sorted(failures.map(({ kind }) => kind))).toEqual(["quota", "unavailable"])
  expect(sorted(of("Kill").map(({ moment }) => moment))).toEqual(["after", "before"])
})

it("draws hosts that go offline and tabs that are hidden, and both again", () => {
  const told = sorted(of("Host").map(({ online, visible }) => `${online ? "online" : "offline"} ${visible}`))
  expect(told).toEqual(["offline false", "offline true", "online false", "online true"])
})

it("draws new parameters for a running engine and for the one that takes over", () => {
  expect(sorted(of("Params").flatMap(({ params }) => Object.keys(params)))).toEqual(["label"])
  expect(of("HandOver").some(({ params }) => params !== undefined)).toBe(true)
  expect(of("HandOver").some(({ params }) => params === undefined)).toBe(true)
})

it("draws revocations that are granted again", () => {
  const again = plans.filter(({ events: all }) => {
    const commits = all.flatMap((event) => (event._tag === "Commit" ? event.writes : []))
    return commits.some(
      (write, index) =>
        write.remove === true &&
        write.table === "project_members" &&
        commits.slice(index + 1).some((later) => {
          const { row, remove, table } = later
          return (
            remove !== true &&
            table === write.table &&
            Object.entries(write.row).every(([name, value]) => row[name] === value)
          )
        }),
    )
  })
  expect(again.length).toBeGreaterThan(0)
})

it("draws servers that cut snapshots and transactions into parts, move rows in late and forget to mark the last change", () => {
  const settings = plans.map(({ server }) => server)
  expect(settings.some(({ snapshotChunk = 1_000 }) => snapshotChunk === 1)).toBe(true)
  expect(settings.some(({ logChunk = 1_000 }) => logChunk === 1)).toBe(true)
  expect(settings.some(({ moveMillis = 0 }) => moveMillis > 0)).toBe(true)
  expect(settings.some(({ missingLast = 0 }) => missingLast === 1)).toBe(true)
  expect(settings.some(({ gatewayLagMillis }) => gatewayLagMillis !== undefined)).toBe(true)
})

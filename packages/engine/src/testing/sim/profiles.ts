/**
 * Fault mixes by name: how often each kind of event happens in a generated run, and what the world is like. Exists so that a user
 * can ask "what if only the network misbehaves?" and so that the mix is tuned in one place. Data only.
 */
import type { Fault } from "../model/faults.ts"
import type { SimEvent } from "./events.ts"

export interface Profile {
  readonly name: string
  /** Events of a run, fewest and most, besides the passing of time. */
  readonly events: readonly [least: number, most: number]
  /** Relative frequency of each kind of event; absent kinds never happen. */
  readonly weights: Readonly<Partial<Record<SimEvent["_tag"], number>>>
  /** Relative frequency of each kind of fault. */
  readonly faults: Readonly<Partial<Record<Fault["kind"], number>>>
  /** Longest way to the server and back, in milliseconds. */
  readonly latencyMillis: number
}

const server = { Commit: 30, Begin: 2 } as const
const people = { Lease: 5, Unlease: 3, Params: 2, Retry: 1, Refetch: 1 } as const
const network = { Fault: 8, ServerRestart: 1, TokenExpired: 1, Host: 2 } as const
const rotation = { Rotate: 3, SchemaChange: 1 } as const
const storage = { Kill: 4, StoreFault: 3 } as const
const host = { Pause: 1, Resume: 2, HandOver: 1, ClockJump: 1 } as const

const everyFault = {
  slow: 3,
  drop: 3,
  cut: 3,
  hang: 1,
  status: 4,
  nonsense: 1,
  conflict: 2,
  stale: 3,
  repeat: 3,
  reset: 2,
  tiny: 3,
} as const

const usual = { events: [18, 34], latencyMillis: 120, faults: everyFault } as const

export const profiles: ReadonlyArray<Profile> = [
  {
    ...usual,
    name: "mixed",
    weights: { ...server, ...people, ...network, ...rotation, ...storage, ...host, Wipe: 0.3 },
  },
  { ...usual, name: "calm", weights: { ...server, ...people }, faults: {} },
  { ...usual, name: "network", weights: { ...server, ...network, ...rotation }, latencyMillis: 900 },
  { ...usual, name: "storage", weights: { ...server, ...storage, HandOver: 2 } },
  { ...usual, name: "crashes", weights: { ...server, ...rotation, Kill: 14 } },
  { ...usual, name: "leases", weights: { ...server, ...people, Lease: 14, Unlease: 12, Kill: 1 } },
  {
    ...usual,
    name: "rotation",
    weights: { ...server, Rotate: 12, SchemaChange: 3, Fault: 6, Refetch: 3, Params: 2, Kill: 2 },
    faults: { conflict: 4, stale: 4, reset: 4, tiny: 4, repeat: 2 },
  },
  {
    ...usual,
    name: "reorder",
    weights: { ...server, Commit: 40, Lease: 2, Rotate: 2, Fault: 10, HandOver: 1 },
    faults: { slow: 8, tiny: 3, stale: 4 },
    latencyMillis: 600,
  },
]

/** A profile by name. @throws for an unknown name */
export const profileNamed = (name: string): Profile => {
  const found = profiles.find((profile) => profile.name === name)
  if (found !== undefined) return found
  throw new Error(
    `no profile is called "${name}"; use one of: ${profiles.map((known) => known.name).join(", ")}`,
  )
}

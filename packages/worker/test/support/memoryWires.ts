/**
 * Channels and Web Locks in memory, with the browser's rules: a message reaches every other end of the same
 * name, later and in order; a lock has one holder and a queue. For tests of the tabs' protocol without a
 * browser.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { HostEnvironment } from "../../src/host/HostEnvironment.ts"
import type { OpenChannel } from "../../src/protocol.ts"

export interface MemoryWires {
  readonly open: OpenChannel
  /** Every message posted so far, by channel name. */
  readonly posted: ReadonlyArray<{ readonly channel: string; readonly message: unknown }>
  readonly hold: (lock: string) => void
  readonly release: (lock: string) => void
  readonly environment: HostEnvironment["Service"]
  /** Resolves when every message posted so far, and its consequences, are delivered. */
  readonly settle: () => Promise<void>
}

export const makeMemoryWires = (): MemoryWires => {
  const ends = new Map<string, Set<(message: never) => void>>()
  const posted: Array<{ readonly channel: string; readonly message: unknown }> = []
  const locks = new Map<string, Set<() => void>>()

  const open: OpenChannel = (name, listener) => {
    const peers = ends.get(name) ?? new Set()
    ends.set(name, peers)
    const own = listener as (message: never) => void
    peers.add(own)
    return {
      post: (message) => {
        posted.push({ channel: name, message })
        const copy = structuredClone(message)
        for (const peer of peers) {
          if (peer === own) continue
          queueMicrotask(() => {
            if (peers.has(peer)) peer(copy as never)
          })
        }
      },
      close: () => {
        peers.delete(own)
      },
    }
  }

  const lockReleased = (name: string): Effect.Effect<void> =>
    Effect.callback<void>((resume) => {
      const waiting = locks.get(name)
      if (waiting === undefined) return resume(Effect.void)
      const wake = (): void => resume(Effect.void)
      waiting.add(wake)
      return Effect.sync(() => waiting.delete(wake))
    })

  return {
    open,
    posted,
    hold: (lock) => {
      locks.set(lock, new Set())
    },
    release: (lock) => {
      const waiting = locks.get(lock) ?? []
      locks.delete(lock)
      for (const wake of waiting) wake()
    },
    environment: {
      open,
      lockReleased,
      holdLock: (lock) =>
        Effect.sync(() => {
          if (locks.has(lock)) return false
          locks.set(lock, new Set())
          return true
        }),
      online: Stream.concat(Stream.make(true), Stream.never),
      probeStorage: () => Promise.resolve(null),
      estimateStorage: Effect.succeed({ usageBytes: 10, quotaBytes: 100, persisted: false }),
    },
    settle: async () => {
      // A macrotask lets every queued microtask and Effect's scheduler run; consequences may take a few
      // rounds.
      for (let round = 0; round < 12; round++) await new Promise((resolve) => setImmediate(resolve))
    },
  }
}

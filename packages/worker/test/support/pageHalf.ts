/**
 * A tab without a page: the link of the page half on in-memory channels, holding its lock. For tests of link
 * and host together.
 */
import { LeaderLink } from "../../src/client/LeaderLink.ts"
import type { HostSettings } from "../../src/contract.ts"
import { fingerprint, tabLock } from "../../src/protocol.ts"
import type { MemoryWires } from "./memoryWires.ts"

export interface PageHalf {
  readonly link: LeaderLink
  /** The tab vanishes without a goodbye: its lock is free, its channels are silent. */
  readonly vanish: () => void
}

export const openPageHalf = (wires: MemoryWires, settings: HostSettings, tabId: string): PageHalf => {
  let isGone = false
  const link = new LeaderLink({
    name: settings.name,
    tabId,
    fingerprint: fingerprint(settings),
    params: settings.params,
    tables: Object.keys(settings.graph.tables),
    visible: true,
    // A vanished tab neither hears nor speaks.
    open: (name, listener) => {
      const channel = wires.open(name, (message: never) => {
        if (!isGone) listener(message)
      })
      return {
        post: (message) => {
          if (!isGone) channel.post(message as never)
        },
        close: channel.close,
      }
    },
    startTimeoutMillis: 5_000,
    callTimeoutMillis: 5_000,
  })
  wires.hold(tabLock(settings.name, tabId))
  link.connect()
  return {
    link,
    vanish: () => {
      isGone = true
      link.close()
      wires.release(tabLock(settings.name, tabId))
    },
  }
}

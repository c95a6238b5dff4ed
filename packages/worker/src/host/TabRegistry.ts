/**
 * Who is there and what each tab wants, as immutable values: a message in, the next registry and a list of
 * actions out. Pure, so that every order of messages can be tested without a browser. `TabServer` runs the
 * actions.
 *
 * Rules: a tab is known from its hello; anything from an unknown tab is ignored (it will say hello to this
 * leader and repeat itself); a hello replaces what the tab wanted before; a lease is acquired once and
 * released once.
 */
import type { EngineCalls, LeaseRequest } from "../contract.ts"
import type { ChosenParams, TabMessage } from "../protocol.ts"

interface Tab {
  readonly visible: boolean
  readonly leases: ReadonlyMap<number, LeaseRequest>
}

export type Tabs = ReadonlyMap<string, Tab>

export const noTabs: Tabs = new Map()

/** What the server has to do, in order. */
export type TabAction =
  | { readonly type: "watch"; readonly tabId: string }
  | { readonly type: "welcome"; readonly tabId: string }
  /** The parameters that held under the leader before, as far as this tab heard. */
  | { readonly type: "restore"; readonly chosen: ChosenParams }
  | { readonly type: "forget"; readonly tabId: string }
  | { readonly type: "acquire"; readonly lease: string; readonly request: LeaseRequest }
  | { readonly type: "release"; readonly lease: string }
  | {
      readonly type: "call"
      readonly tabId: string
      readonly callId: number
      readonly name: keyof EngineCalls
      readonly args: ReadonlyArray<unknown>
    }

export interface Step {
  readonly tabs: Tabs
  readonly actions: ReadonlyArray<TabAction>
}

const leaseKey = (tabId: string, leaseId: number): string => `${tabId}/${leaseId}`

const withTab = (tabs: Tabs, tabId: string, tab: Tab): Tabs => new Map(tabs).set(tabId, tab)

/** Whether any tab can be seen. With no tab known yet, yes: a starting page is usually looked at. */
export const anyVisible = (tabs: Tabs): boolean =>
  tabs.size === 0 || [...tabs.values()].some((tab) => tab.visible)

/** Every lease held, for an engine that has just started. */
export const heldLeases = (
  tabs: Tabs,
): ReadonlyArray<{ readonly lease: string; readonly request: LeaseRequest }> =>
  [...tabs].flatMap(([tabId, tab]) =>
    [...tab.leases].map(([leaseId, request]) => ({ lease: leaseKey(tabId, leaseId), request })),
  )

/** Ends a tab: it said goodbye, or its lock is free. Ending an unknown tab does nothing. */
export const endTab = (tabs: Tabs, tabId: string): Step => {
  const tab = tabs.get(tabId)
  if (tab === undefined) return { tabs, actions: [] }
  const rest = new Map(tabs)
  rest.delete(tabId)
  const releases = [...tab.leases.keys()].map((leaseId): TabAction => ({
    type: "release",
    lease: leaseKey(tabId, leaseId),
  }))
  return { tabs: rest, actions: [...releases, { type: "forget", tabId }] }
}

const hello = (tabs: Tabs, message: TabMessage & { readonly type: "hello" }): Step => {
  const { tabId } = message
  const known = tabs.get(tabId)
  const before = known?.leases ?? new Map<number, LeaseRequest>()
  const after = new Map(message.leases.map((lease) => [lease.leaseId, lease.request] as const))
  const actions: Array<TabAction> = known === undefined ? [{ type: "watch", tabId }] : []
  for (const leaseId of before.keys()) {
    if (!after.has(leaseId)) actions.push({ type: "release", lease: leaseKey(tabId, leaseId) })
  }
  for (const [leaseId, request] of after) {
    if (!before.has(leaseId)) actions.push({ type: "acquire", lease: leaseKey(tabId, leaseId), request })
  }
  // Before the welcome, which tells what holds now.
  if (message.chosen !== undefined) actions.push({ type: "restore", chosen: message.chosen })
  actions.push({ type: "welcome", tabId })
  return { tabs: withTab(tabs, tabId, { visible: message.visible, leases: after }), actions }
}

/** Takes one message of a tab. */
export const receive = (tabs: Tabs, message: TabMessage): Step => {
  if (message.type === "hello") return hello(tabs, message)
  const tab = tabs.get(message.tabId)
  if (tab === undefined) return { tabs, actions: [] }
  switch (message.type) {
    case "lease": {
      if (tab.leases.has(message.leaseId)) return { tabs, actions: [] }
      const leases = new Map(tab.leases).set(message.leaseId, message.request)
      return {
        tabs: withTab(tabs, message.tabId, { ...tab, leases }),
        actions: [
          { type: "acquire", lease: leaseKey(message.tabId, message.leaseId), request: message.request },
        ],
      }
    }
    case "release": {
      if (!tab.leases.has(message.leaseId)) return { tabs, actions: [] }
      const leases = new Map(tab.leases)
      leases.delete(message.leaseId)
      return {
        tabs: withTab(tabs, message.tabId, { ...tab, leases }),
        actions: [{ type: "release", lease: leaseKey(message.tabId, message.leaseId) }],
      }
    }
    case "visible":
      return { tabs: withTab(tabs, message.tabId, { ...tab, visible: message.visible }), actions: [] }
    case "call": {
      const { tabId, callId, name, args } = message
      return { tabs, actions: [{ type: "call", tabId, callId, name, args }] }
    }
    case "bye":
      return endTab(tabs, message.tabId)
  }
}

/**
 * The engine as Vue DevTools shows it: a tree of nodes and instances, the state of one of them, and one event per line of the
 * journal. Pure, so that what the plugin says is tested without DevTools.
 */
import type { GraphData } from "@espalier/engine/graph"
import type { EngineStatus, JournalEntry, StateName } from "@espalier/engine/protocol"
import {
  groupInstances,
  matchesFilter,
  rollupLabel,
  rollupTone,
  stateTone,
  type Tone,
} from "../panel/format.ts"
import { lsnOfOffset } from "../panel/lsn.ts"

/** A tag beside a name in the inspector. Colours are numbers there. */
export interface Tag {
  readonly label: string
  readonly textColor: number
  readonly backgroundColor: number
}

export interface TreeNode {
  readonly id: string
  readonly label: string
  readonly tags?: Array<Tag>
  readonly children?: Array<TreeNode>
}

export interface StateEntry {
  readonly key: string
  readonly value: unknown
}

export interface TimelineEntry {
  readonly time: number
  readonly title: string
  readonly subtitle: string
  readonly logType: "default" | "warning" | "error"
  readonly groupId: string
  readonly data: Readonly<Record<string, unknown>>
}

/** Instances of one node that the inspector lists; its filter reaches all of them. */
export const instancesListed = 200

const colours: Readonly<Record<Tone, number>> = {
  good: 0x166b3c,
  busy: 0x1a57b3,
  wait: 0x56616c,
  warn: 0x874d00,
  bad: 0xb42626,
}

const tagOf = (label: string, tone: Tone): Tag => ({
  label,
  textColor: 0xffffff,
  backgroundColor: colours[tone],
})

const stateTag = (state: StateName): Tag => tagOf(state, stateTone(state))

/** Nodes with their instances. A node's id is its name, an instance's its key behind `instance:`. */
export const inspectorTree = (
  graph: GraphData,
  status: EngineStatus | null,
  filter: string,
): Array<TreeNode> =>
  groupInstances(graph, status, (one) => filter.trim() === "" || matchesFilter(one, filter)).map((group) => ({
    id: `node:${group.node}`,
    label: group.node,
    tags: [
      tagOf(rollupLabel(group.state), rollupTone(group.state)),
      ...(group.total > 0 ? [tagOf(`${group.live}/${group.total} live`, "wait")] : []),
    ],
    children: group.instances.slice(0, instancesListed).map((one) => ({
      id: `instance:${one.key}`,
      label: one.key,
      tags: [stateTag(one.state)],
      children: [],
    })),
  }))

const entries = (values: object): Array<StateEntry> =>
  Object.entries(values).map(([key, value]: [string, unknown]) => ({ key, value }))

/** Everything about one node of the tree, in named groups; empty for one that is gone. */
export const inspectorState = (
  graph: GraphData,
  status: EngineStatus | null,
  id: string,
): Record<string, Array<StateEntry>> => {
  const [kind, ...rest] = id.split(":")
  const name = rest.join(":")
  if (kind === "node") {
    const own = status?.nodes[name]
    const declared = graph.nodes[name]
    return {
      ...(own === undefined ? {} : { status: entries(own) }),
      ...(declared === undefined ? {} : { declared: entries(declared) }),
    }
  }
  const one = status?.instances[name]
  if (one === undefined) return {}
  const { bindings, error, ...facts } = one
  return {
    state: entries({ ...facts, lsn: lsnOfOffset(one.offset) }),
    bindings: entries(bindings),
    ...(error === null ? {} : { error: entries(error) }),
  }
}

const bad = new Set(["failed", "store-failed", "not-compiled"])
const doubtful = new Set(["binding-gone", "clock-jump", "paused", "unknown-row"])

/** A line of the journal as an event; lines of one instance belong together. */
export const timelineEntry = ({ seq, at, key, event, detail }: JournalEntry): TimelineEntry => ({
  time: at,
  title: event,
  subtitle: key === null ? detail : `${key} ${detail}`,
  logType: bad.has(event) ? "error" : doubtful.has(event) ? "warning" : "default",
  groupId: key ?? "engine",
  data: { seq, key, detail },
})

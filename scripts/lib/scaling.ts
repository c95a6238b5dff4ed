/**
 * What a population of clients asks of gateway, cache and shape server, by arithmetic: shapes, open requests, requests per second, cache hits. Pure. What is
 * shared is not assumed but compiled: two people of one company either get the same definition of a node or they do not.
 */
import type { GraphData } from "@espalier/engine/graph"
import { compileInstance, ownership } from "@espalier/engine/protocol"

/** The population, and how it behaves. Rates are per second, times in milliseconds. */
export interface Population {
  /** People with a session. */
  readonly clients: number
  /** Share of them that is online at the same time. */
  readonly online: number
  /** Companies a person belongs to. */
  readonly companiesPerClient: number
  /** People in a company. */
  readonly membersPerCompany: number
  /** Changes per company and minute that some shape of the company sees. */
  readonly changesPerCompanyMinute: number
  /** Share of the online clients that start from nothing within an hour (others go on from disk). */
  readonly newPerHour: number
}

/** How an installation is set up. */
export interface Installation {
  /** The engine's `maxConnections`. */
  readonly maxConnections: number
  /** The engine's `liveSliceMillis`. */
  readonly liveSliceMillis: number
  /** How long the shape server holds a long poll. */
  readonly longPollMillis: number
  /** Bytes that one waiting request holds in a gateway process (`gateway.bytes-per-wait`). */
  readonly bytesPerWait: number
  /** Processor time of a gateway per request that brings little or nothing, in microseconds. */
  readonly gatewayMicros: number
}

/** A node of the graph in this population. */
export interface NodeLoad {
  readonly node: string
  /** Instances of one client. */
  readonly perClient: number
  /** Clients that hold the same shape. */
  readonly sharedBy: number
  /** Different shapes of all clients together. */
  readonly shapes: number
}

/** The answer. */
export interface Load {
  readonly nodes: ReadonlyArray<NodeLoad>
  readonly instancesPerClient: number
  readonly shapes: number
  /** Of clients that are online. */
  readonly onlineClients: number
  readonly openRequests: number
  readonly gatewayBytes: number
  /** Requests to gateways per second while nothing fails. */
  readonly requestsPerSecond: number
  readonly gatewayCores: number
  /** How long a change may wait for its long poll's turn, in milliseconds. */
  readonly stalenessMillis: number
  /** Requests per second that reach the shape server when a cache between collapses equal ones. */
  readonly requestsPastCache: number
  /** Share of first snapshots that such a cache answers. */
  readonly snapshotHits: number
  /** First snapshots per second that reach the shape server. */
  readonly snapshotsPastCache: number
}

const uuid = (kind: number, n: number): string =>
  `${kind}0000000-0000-4000-8000-${String(n).padStart(12, "0")}`

const identityValue = (type: string, person: number): string =>
  type === "uuid" ? uuid(1, person) : String(person)

/** The node on the way from `node` to its owner whose columns are the bindings: the one right below the owner. */
const boundNode = (graph: GraphData, node: string): string => {
  const { owner } = ownership(graph, node)
  let at = node
  for (let parent = graph.nodes[at]?.parent; parent !== owner && parent; parent = graph.nodes[at]?.parent)
    at = parent
  return at
}

/** The definition of a node for this person, always of the same company. */
const compiledFor = (graph: GraphData, node: string, person: number): string => {
  const table = graph.tables[graph.nodes[boundNode(graph, node)]?.table ?? ""]
  const bindings = Object.fromEntries(
    ownership(graph, node).bindings.map(({ binding }) => {
      const type = table?.columns[binding]?.type ?? "text"
      return [binding, type === "uuid" ? uuid(2, 1) : "1"]
    }),
  )
  const params = Object.fromEntries(
    Object.entries(graph.params).map(([name, { source, type }]) => [
      name,
      identityValue(type, source === "identity" ? person : 0),
    ]),
  )
  return compileInstance(graph, node, bindings, params).hash
}

/** Whether two people with the same bindings get the same definition of a node. */
export const isShared = (graph: GraphData, node: string): boolean =>
  compiledFor(graph, node, 1) === compiledFor(graph, node, 2)

const nodeLoad = (graph: GraphData, people: Population, node: string): NodeLoad => {
  const perClient = ownership(graph, node).bindings.length === 0 ? 1 : people.companiesPerClient
  const all = people.clients * perClient
  if (!isShared(graph, node)) return { node, perClient, sharedBy: 1, shapes: all }
  // Without bindings a shared shape is one for everybody.
  const sharedBy = ownership(graph, node).bindings.length === 0 ? people.clients : people.membersPerCompany
  return { node, perClient, sharedBy, shapes: Math.ceil(all / sharedBy) }
}

const sum = (values: ReadonlyArray<number>): number => values.reduce((total, value) => total + value, 0)

/** Requests per second of one client: waiting ones end by time or by a change; with too few connections they take turns. */
const clientRate = (
  people: Population,
  { liveSliceMillis, longPollMillis, maxConnections }: Installation,
  instances: number,
): number => {
  if (instances > maxConnections) return (maxConnections * 1_000) / liveSliceMillis
  return (
    (instances * 1_000) / longPollMillis + (people.companiesPerClient * people.changesPerCompanyMinute) / 60
  )
}

/** The load of a graph whose nodes hang on one kind of tenant ("company"). */
export const loadOf = (graph: GraphData, people: Population, installation: Installation): Load => {
  const nodes = Object.keys(graph.nodes).map((node) => nodeLoad(graph, people, node))
  const instancesPerClient = sum(nodes.map(({ perClient }) => perClient))
  const onlineClients = Math.round(people.clients * people.online)
  const openPerClient = Math.min(instancesPerClient, installation.maxConnections)
  const rate = clientRate(people, installation, instancesPerClient)
  const requestsPerSecond = onlineClients * rate
  // Equal live requests of the online holders of a shape are one; which of them come through is the share that is different.
  const different = sum(
    nodes.map(({ perClient, sharedBy }) => perClient / Math.max(1, sharedBy * people.online)),
  )
  const newPerSecond = (onlineClients * people.newPerHour) / 3_600
  const asked = newPerSecond * instancesPerClient
  // A cached snapshot serves the shape's later holders; the first of them pays.
  const missed = newPerSecond * sum(nodes.map(({ perClient, sharedBy }) => perClient / sharedBy))
  return {
    nodes,
    instancesPerClient,
    shapes: sum(nodes.map(({ shapes }) => shapes)),
    onlineClients,
    openRequests: onlineClients * openPerClient,
    gatewayBytes: onlineClients * openPerClient * installation.bytesPerWait,
    requestsPerSecond,
    gatewayCores: (requestsPerSecond * installation.gatewayMicros) / 1_000_000,
    stalenessMillis:
      instancesPerClient <= installation.maxConnections
        ? 0
        : Math.ceil(instancesPerClient / installation.maxConnections) * installation.liveSliceMillis,
    requestsPastCache: requestsPerSecond * (different / instancesPerClient),
    snapshotHits: 1 - missed / asked,
    snapshotsPastCache: missed,
  }
}

/**
 * The gateway's decisions, pure: what a request asks for, and what definition that is. It exists so that every refusal can be
 * tested as a table. The client names a node, bindings and its own params, never SQL: whatever is not on the short
 * list is refused by name, not dropped, so that a mistake and an attack both show. No I/O, no clock, no secret here.
 */
import type { GraphData } from "@espalier/engine/graph"
import { CompileError, compileInstance, type Instance, ownership, Wire } from "@espalier/engine/protocol"

/** A refusal: status, stable code, and words for the developer. */
export interface Refusal {
  readonly _tag: "Refusal"
  readonly status: number
  readonly code: (typeof Wire.GatewayCode)[keyof typeof Wire.GatewayCode]
  readonly message: string
  /** Sent as `Retry-After`; only with statuses that pass by waiting. */
  readonly retryAfterSeconds?: number
}

export const refusal = (
  status: number,
  code: Refusal["code"],
  message: string,
  retryAfterSeconds?: number,
): Refusal => ({
  _tag: "Refusal",
  status,
  code,
  message,
  ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
})

/** Whether something is a refusal rather than what was hoped for. */
export const isRefusal = (value: unknown): value is Refusal =>
  typeof value === "object" && value !== null && "_tag" in value && value._tag === "Refusal"

/** A well-formed request, before anybody's identity is known. */
export interface Ask {
  readonly _tag: "Ask"
  readonly node: string
  readonly bindings: Readonly<Record<string, string>>
  readonly clientParams: Readonly<Record<string, string>>
  /** The definition hash the client compiled; `null` when it sent none. */
  readonly definition: string | null
  /** Protocol parameters to pass on. */
  readonly forwarded: Readonly<Record<string, string>>
}

/** Characters of a query string at most; beyond it nothing is parsed. */
export const maxQueryLength = 16_384
/** Characters of one value at most. */
export const maxValueLength = 2_048

const { GatewayCode, GatewayParam, Param } = Wire

const badRequest = (message: string): Refusal => refusal(400, GatewayCode.badRequest, message)

/** A parameter's name as it may stand in a message: quoted, and never long. */
const named = (name: string): string => JSON.stringify(name.length > 64 ? `${name.slice(0, 64)}…` : name)

/** Parameters that define a shape or open the server: the gateway's own business (design §9). */
const serverSide: ReadonlySet<string> = new Set([
  Param.table,
  Param.where,
  Param.params,
  Param.columns,
  Param.queryableColumns,
  Param.replica,
  Param.secret,
  Param.apiSecret,
])

const isServerSide = (name: string): boolean => {
  const plain = name.toLowerCase().replace(/\[.*$/, "")
  return serverSide.has(plain) || plain.startsWith("subset")
}

interface Collected {
  node: string | null
  definition: string | null
  readonly bindings: Map<string, string>
  readonly clientParams: Map<string, string>
  readonly forwarded: Map<string, string>
}

/** Puts one parameter where it belongs; a refusal when it belongs nowhere. */
const collect = (graph: GraphData, into: Collected, name: string, value: string): Refusal | null => {
  if (name === GatewayParam.node) into.node = value
  else if (name === GatewayParam.definition) into.definition = value
  else if (Wire.forwardedParams.has(name)) into.forwarded.set(name, value)
  else if (name.startsWith(GatewayParam.bindingPrefix)) {
    into.bindings.set(name.slice(GatewayParam.bindingPrefix.length), value)
  } else if (name.startsWith(GatewayParam.paramPrefix)) {
    const param = name.slice(GatewayParam.paramPrefix.length)
    const source = Object.hasOwn(graph.params, param) ? graph.params[param]?.source : undefined
    if (source === undefined)
      return badRequest(`parameter ${named(name)} is unknown; the graph has no such param`)
    if (source !== "client")
      return badRequest(`parameter ${named(name)} comes from the identity, not from the client`)
    into.clientParams.set(param, value)
  } else if (isServerSide(name)) {
    return badRequest(`parameter ${named(name)} is not for clients; name a node and its bindings`)
  } else return badRequest(`parameter ${named(name)} is unknown`)
  return null
}

/** Reads a query string (decoded by the URL standard's rules, so every spelling of a name meets the same check). */
export const readAsk = (graph: GraphData, search: string): Ask | Refusal => {
  if (search.length > maxQueryLength)
    return badRequest(`the query is longer than ${maxQueryLength} characters`)
  const into: Collected = {
    node: null,
    definition: null,
    bindings: new Map(),
    clientParams: new Map(),
    forwarded: new Map(),
  }
  const seen = new Set<string>()
  for (const [name, value] of new URLSearchParams(search)) {
    if (seen.has(name)) return badRequest(`parameter ${named(name)} occurs more than once`)
    seen.add(name)
    if (value.length > maxValueLength) {
      return badRequest(`parameter ${named(name)} is longer than ${maxValueLength} characters`)
    }
    const refused = collect(graph, into, name, value)
    if (refused !== null) return refused
  }
  if (into.node === null) return badRequest(`parameter "${GatewayParam.node}" is missing`)
  if (!Object.hasOwn(graph.nodes, into.node)) {
    return refusal(404, GatewayCode.unknownNode, `the graph "${graph.name}" has no node ${named(into.node)}`)
  }
  const faults = bindingFault(graph, into.node, [...into.bindings.keys()])
  if (faults !== null) return faults
  return {
    _tag: "Ask",
    node: into.node,
    definition: into.definition,
    bindings: Object.fromEntries(into.bindings),
    clientParams: Object.fromEntries(into.clientParams),
    forwarded: Object.fromEntries(into.forwarded),
  }
}

const bindingFault = (graph: GraphData, node: string, given: ReadonlyArray<string>): Refusal | null => {
  const expected = ownership(graph, node).bindings.map(({ binding }) => binding)
  const prefixed = (name: string): string => named(`${GatewayParam.bindingPrefix}${name}`)
  const unknown = given.find((name) => !expected.includes(name))
  if (unknown !== undefined) {
    return badRequest(`parameter ${prefixed(unknown)} is unknown; node "${node}" has no such binding`)
  }
  const missing = expected.find((name) => !given.includes(name))
  return missing === undefined ? null : badRequest(`parameter ${prefixed(missing)} is missing`)
}

/** The params of a compile: the client's own, and the identity's; neither can stand in for the other. */
const paramsFor = (
  graph: GraphData,
  ask: Ask,
  identity: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> => {
  const params: Record<string, string> = {}
  for (const [name, { source }] of Object.entries(graph.params)) {
    const from = source === "identity" ? identity : ask.clientParams
    const value = Object.hasOwn(from, name) ? from[name] : undefined
    if (value !== undefined) params[name] = value
  }
  return params
}

/**
 * The instance a request means, for an identity. A value that does not fit is the client's fault (400) unless it came from the
 * identity, which the client cannot mend (500, without the value).
 */
export const compileAsk = (
  graph: GraphData,
  ask: Ask,
  identity: Readonly<Record<string, string>>,
): Instance | Refusal => {
  try {
    return compileInstance(graph, ask.node, ask.bindings, paramsFor(graph, ask, identity))
  } catch (error) {
    if (!(error instanceof CompileError)) throw error
    const param = /^params\.(.*)$/s.exec(error.path)?.[1]
    if (param !== undefined && graph.params[param]?.source === "identity") {
      return refusal(500, GatewayCode.internal, `the identity gives no usable value for param "${param}"`)
    }
    return badRequest(error.message)
  }
}

/**
 * Checks what the client believes it asks for. Not a 409: that would mean must-refetch, and the client would ask the same
 * again for ever.
 */
export const checkDefinition = (ask: Ask, instance: Instance): Refusal | null => {
  if (ask.definition !== null && ask.definition !== instance.hash) {
    const message = `the client's definition of "${ask.node}" differs from the server's; reload the app or deploy both`
    return refusal(412, GatewayCode.schemaMismatch, message)
  }
  const log = ask.forwarded[Param.log]
  if (log !== undefined && log !== instance.definition.log) {
    return badRequest(`parameter "${Param.log}" must be "${instance.definition.log}"`)
  }
  return null
}

/**
 * The gateway itself: `Request` in, `Response` out. The effects live here and only here: asking the app who calls, asking its
 * rule, asking Electric. Every path that is not a clear yes ends in an error body `{code, message}` and no rows.
 */
import { type Graph, type GraphData, GraphInvalid, validateGraph } from "@espalier/engine/graph"
import { Wire } from "@espalier/engine/protocol"
import { type Ask, checkDefinition, compileAsk, readAsk, type Refusal, refusal } from "./authorize.ts"
import { errorDown, streamDown, upstreamBase, upstreamRefusal, upstreamUrl } from "./forward.ts"
import { type GatewayIdentity, type Rule, ruleFaults, type Rules } from "./Rules.ts"

const { GatewayCode, Header } = Wire

/** Something the gateway answered with an error of its own making; for the operator's log, never for the client. */
export interface GatewayFault {
  readonly where: "identify" | "rule" | "upstream" | "gateway"
  readonly node: string | null
  readonly cause: unknown
}

/** What `make` takes. */
export interface GatewayOptions<G extends Graph.Graph, Identity extends GatewayIdentity> {
  readonly graph: G
  /** Electric: its address (with or without `/v1/shape`) and its secret, which never leaves the gateway. */
  readonly electric: { readonly url: string; readonly secret?: string | undefined }
  /** Verifies the caller. `null` means nobody: 401. */
  readonly identify: (request: Request) => Identity | null | Promise<Identity | null>
  /** One rule per node. */
  readonly rules: Rules<G, Identity>
  /** Default: the runtime's `fetch`. */
  readonly fetch?: typeof globalThis.fetch
  /** How long Electric may take until its response headers. Default 35,000: a long poll holds them for 20,000. */
  readonly upstreamTimeoutMillis?: number
  /** Hears of every throw of the app's functions and every failure of Electric. */
  readonly onFault?: (fault: GatewayFault) => void
}

/** Thrown by `make`; lists everything that is wrong with its options. */
export class GatewayInvalid extends Error {
  readonly _tag = "GatewayInvalid"
  readonly faults: ReadonlyArray<string>
  constructor(faults: ReadonlyArray<string>) {
    super(`The gateway cannot start:\n${faults.map((fault) => `  ${fault}`).join("\n")}`)
    this.name = "GatewayInvalid"
    this.faults = faults
  }
}

/** Default of {@link GatewayOptions.upstreamTimeoutMillis}. */
export const defaultUpstreamTimeoutMillis = 35_000

/** Answers a request for a shape. Never rejects. */
export type Gateway = (request: Request) => Promise<Response>

const allowedMethods = "GET, HEAD, OPTIONS"

interface Context<Identity extends GatewayIdentity = GatewayIdentity> {
  readonly graph: GraphData
  readonly base: URL
  readonly secret: string | undefined
  readonly identify: (request: Request) => Identity | null | Promise<Identity | null>
  readonly ruleOf: (node: string) => Rule<Identity> | undefined
  readonly fetch: typeof globalThis.fetch
  readonly timeoutMillis: number
  readonly onFault: (fault: GatewayFault) => void
}

const isRefusal = (value: object): value is Refusal => "_tag" in value && value._tag === "Refusal"

const refuse = (method: string, { code, message, status }: Refusal): Response =>
  new Response(method === "HEAD" ? null : JSON.stringify({ code, message }), {
    status,
    headers: {
      "content-type": "application/json",
      [Header.cacheControl]: "no-store",
      ...(status === 405 ? { allow: allowedMethods } : {}),
    },
  })

const internal = (message: string): Refusal => refusal(500, GatewayCode.internal, message)

const identified = async <Identity extends GatewayIdentity>(
  context: Context<Identity>,
  request: Request,
  ask: Ask,
): Promise<Identity | Refusal> => {
  try {
    const identity = await context.identify(request)
    return identity ?? refusal(401, GatewayCode.unauthenticated, "sign in, or send valid credentials")
  } catch (cause) {
    context.onFault({ where: "identify", node: ask.node, cause })
    return internal("the caller could not be identified")
  }
}

const denied = async <Identity extends GatewayIdentity>(
  context: Context<Identity>,
  request: Request,
  identity: Identity,
  node: string,
  bindings: Readonly<Record<string, string>>,
): Promise<Refusal | null> => {
  const rule = context.ruleOf(node)
  if (rule === "public") return null
  try {
    const allowed: unknown = rule === undefined ? false : await rule({ identity, bindings, request })
    if (allowed === true) return null
    return refusal(403, GatewayCode.revoked, `these rows of "${node}" are not yours`)
  } catch (cause) {
    context.onFault({ where: "rule", node, cause })
    return internal("the rule could not be decided")
  }
}

/** Asks Electric. The client's abort reaches it at once; the time limit ends with the response headers. */
const askUpstream = async (
  context: Pick<Context, "fetch" | "onFault" | "timeoutMillis">,
  request: Request,
  url: URL,
  node: string,
): Promise<Response | Refusal> => {
  const timeout = new AbortController()
  const timer = setTimeout(() => timeout.abort(), context.timeoutMillis)
  try {
    return await context.fetch(url, {
      method: request.method,
      headers: { accept: request.headers.get("accept") ?? "*/*" },
      redirect: "manual",
      signal: AbortSignal.any([request.signal, timeout.signal]),
    })
  } catch (cause) {
    if (!request.signal.aborted) context.onFault({ where: "upstream", node, cause })
    if (timeout.signal.aborted) {
      const message = `the shape server gave no answer within ${context.timeoutMillis} ms`
      return refusal(504, GatewayCode.upstreamTimeout, message)
    }
    return refusal(502, GatewayCode.upstreamUnreachable, "the shape server cannot be reached")
  } finally {
    clearTimeout(timer)
  }
}

const serve = async <Identity extends GatewayIdentity>(
  context: Context<Identity>,
  request: Request,
): Promise<Response | Refusal> => {
  const ask = readAsk(context.graph, new URL(request.url).search)
  if (ask._tag === "Refusal") return ask
  const identity = await identified(context, request, ask)
  if (isRefusal(identity)) return identity
  const instance = compileAsk(context.graph, ask, identity.params)
  if ("_tag" in instance) return instance
  // The rule before the definition: a client that may no longer read must hear so even from an old release.
  const no = await denied(context, request, identity, ask.node, instance.bindings)
  const refused = no ?? checkDefinition(ask, instance)
  if (refused !== null) return refused
  const url = upstreamUrl(context.base, instance, ask.forwarded, context.secret)
  const upstream = await askUpstream(context, request, url, ask.node)
  if (isRefusal(upstream)) return upstream
  const misconfigured = upstreamRefusal(upstream.status)
  if (misconfigured !== null) {
    context.onFault({ where: "upstream", node: ask.node, cause: new Error(`status ${upstream.status}`) })
    await upstream.body?.cancel()
    return misconfigured
  }
  const failed = upstream.status >= 400 && upstream.status !== 409
  return failed ? errorDown(upstream, context.secret) : streamDown(upstream)
}

const handle = async <Identity extends GatewayIdentity>(
  context: Context<Identity>,
  request: Request,
): Promise<Response> => {
  if (request.method === "OPTIONS")
    return new Response(null, { status: 204, headers: { allow: allowedMethods } })
  if (request.method !== "GET" && request.method !== "HEAD") {
    const message = `method ${request.method} is not allowed; use GET`
    return refuse(request.method, refusal(405, GatewayCode.methodNotAllowed, message))
  }
  try {
    const answer = await serve(context, request)
    return isRefusal(answer) ? refuse(request.method, answer) : answer
  } catch (cause) {
    context.onFault({ where: "gateway", node: null, cause })
    return refuse(request.method, internal("the request could not be served"))
  }
}

/**
 * Makes a gateway.
 *
 * @throws GraphInvalid when the graph is invalid
 * @throws GatewayInvalid with all faults of the options: nodes without a rule, a bad address, a bad time limit
 */
export const make = <G extends Graph.Graph, Identity extends GatewayIdentity>(
  options: GatewayOptions<G, Identity>,
): Gateway => {
  const problems = validateGraph(options.graph)
  if (problems.length > 0) throw new GraphInvalid(options.graph.name, problems)
  const rules: Readonly<Record<string, Rule<Identity>>> = { ...options.rules }
  const faults = [...ruleFaults(Object.keys(options.graph.nodes), rules)]
  const timeoutMillis = options.upstreamTimeoutMillis ?? defaultUpstreamTimeoutMillis
  if (!Number.isFinite(timeoutMillis) || timeoutMillis <= 0) {
    faults.push("upstreamTimeoutMillis: must be a positive number of milliseconds")
  }
  const base = readBase(options.electric.url, faults)
  if (base === null || faults.length > 0) throw new GatewayInvalid(faults)
  const context: Context<Identity> = {
    graph: options.graph,
    base,
    secret: options.electric.secret,
    identify: options.identify,
    ruleOf: (node: string) => (Object.hasOwn(rules, node) ? rules[node] : undefined),
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    timeoutMillis,
    onFault: options.onFault ?? (() => undefined),
  }
  return (request) => handle(context, request)
}

const readBase = (url: string, faults: Array<string>): URL | null => {
  try {
    return upstreamBase(url)
  } catch {
    faults.push("electric.url: must be an http or https address such as http://localhost:30000")
    return null
  }
}

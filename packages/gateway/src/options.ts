/**
 * What a gateway is made from, and what is wrong with it. Every fault is found when the gateway starts, all of them at once, so that a
 * forgotten rule or a mistyped address never waits for its first request.
 */
import { type Graph, GraphInvalid, validateGraph } from "@espalier/engine/graph"
import { corsFaults, type CorsOptions } from "./cors.ts"
import { upstreamBase } from "./forward.ts"
import { limitFaults, type LimitOptions } from "./limits.ts"
import type { AccessEntry } from "./observe.ts"
import { type GatewayIdentity, ruleFaults, type Rules } from "./Rules.ts"

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
  /**
   * How long a rule's yes holds for the same caller, node and bindings, in milliseconds. Default 1,000; 0 asks every time, which a rule that
   * looks at the `request` needs. A no is never remembered; `revoke` forgets.
   */
  readonly ruleCacheMillis?: number
  /**
   * The one path this gateway answers, such as `/v1/shape`, compared as it arrives: another spelling of it is another path (404). Default: any,
   * for servers that route before they call.
   */
  readonly path?: string
  /** Pages of other origins that may call. Default: none. */
  readonly cors?: CorsOptions
  /** Limits per caller; `false` when something before the gateway limits. */
  readonly limits?: LimitOptions | false
  /** Default: the runtime's `fetch`. */
  readonly fetch?: typeof globalThis.fetch
  /** How long Electric may take until its response headers. Default 35,000: a long poll holds them for 20,000. */
  readonly upstreamTimeoutMillis?: number
  /** Hears of every throw of the app's functions and every failure of Electric. */
  readonly onFault?: (fault: GatewayFault) => void
  /** Hears of every finished request. */
  readonly onRequest?: (entry: AccessEntry) => void
  /** Milliseconds since 1970; compared with `identity.expiresAt`. Default: the system's clock. */
  readonly now?: () => number
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

/** Default of {@link GatewayOptions.ruleCacheMillis}. */
export const defaultRuleCacheMillis = 1_000

const readBase = (url: string, faults: Array<string>): URL | null => {
  try {
    return upstreamBase(url)
  } catch {
    faults.push("electric.url: must be an http or https address such as http://localhost:30000")
    return null
  }
}

/**
 * Checks everything and returns the shape server's address.
 *
 * @throws GraphInvalid when the graph is invalid
 * @throws GatewayInvalid with all faults of the options
 */
export const checkOptions = <G extends Graph.Graph, Identity extends GatewayIdentity>(
  options: GatewayOptions<G, Identity>,
): URL => {
  const problems = validateGraph(options.graph)
  if (problems.length > 0) throw new GraphInvalid(options.graph.name, problems)
  const faults = [
    ...ruleFaults(Object.keys(options.graph.nodes), { ...options.rules }),
    ...corsFaults(options.cors),
    ...limitFaults(options.limits === false ? undefined : options.limits),
  ]
  const timeout = options.upstreamTimeoutMillis ?? defaultUpstreamTimeoutMillis
  if (!Number.isFinite(timeout) || timeout <= 0) {
    faults.push("upstreamTimeoutMillis: must be a positive number of milliseconds")
  }
  const cache = options.ruleCacheMillis ?? defaultRuleCacheMillis
  if (!Number.isFinite(cache) || cache < 0) {
    faults.push("ruleCacheMillis: must be a number of milliseconds, or 0 to ask every time")
  }
  if (options.path !== undefined && !isPath(options.path)) {
    faults.push(`path: must be an absolute path such as /v1/shape, not ${JSON.stringify(options.path)}`)
  }
  const base = readBase(options.electric.url, faults)
  if (base === null || faults.length > 0) throw new GatewayInvalid(faults)
  return base
}

/** An absolute path that no URL parser spells otherwise. */
const isPath = (path: string): boolean =>
  path.startsWith("/") && URL.canParse(path, "http://any") && new URL(path, "http://any").pathname === path

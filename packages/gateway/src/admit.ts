/**
 * From a request to a yes or a no. The effects are asking the app who calls and asking its rule; whatever is not a clear yes is a refusal.
 * Called by the handler; the pure decisions are in `authorize.ts`.
 */
import type { GraphData } from "@espalier/engine/graph"
import { type Instance, Wire } from "@espalier/engine/protocol"
import {
  type Ask,
  checkDefinition,
  compileAsk,
  isRefusal,
  readAsk,
  type Refusal,
  refusal,
} from "./authorize.ts"
import { type Decisions, type Question, subjectOf } from "./decisions.ts"
import type { Limiter } from "./limits.ts"
import type { GatewayFault } from "./options.ts"
import { type GatewayIdentity, type Rule, RuleUnavailable } from "./Rules.ts"
import type { Wait, Waits } from "./waits.ts"

const { GatewayCode } = Wire

/** What admitting needs. */
export interface AdmitContext<Identity extends GatewayIdentity> {
  readonly graph: GraphData
  readonly identify: (request: Request) => Identity | null | Promise<Identity | null>
  readonly ruleOf: (node: string) => Rule<Identity> | undefined
  readonly decisions: Decisions
  readonly limiter: Limiter | null
  readonly waits: Waits
  readonly now: () => number
  readonly onFault: (fault: GatewayFault) => void
}

/** What a request leaves behind until it is over, and what the access log says of it. */
export interface Passage {
  node: string | null
  readonly releases: Array<() => void>
}

/** An allowed request. */
export interface Admitted {
  readonly ask: Ask
  readonly instance: Instance
  readonly wait: Wait
}

export const internal = (message: string): Refusal => refusal(500, GatewayCode.internal, message)

/** Seconds after which a rule that could not be asked is worth asking again. */
const unavailableRetrySeconds = 1

const failed = (cause: unknown, what: string): Refusal =>
  cause instanceof RuleUnavailable
    ? refusal(503, GatewayCode.upstreamUnreachable, `${what} now; ask again`, unavailableRetrySeconds)
    : internal(what)

const expired = refusal(401, GatewayCode.unauthenticated, "the credentials have expired; send new ones")

const identified = async <Identity extends GatewayIdentity>(
  context: AdmitContext<Identity>,
  request: Request,
  node: string,
): Promise<Identity | Refusal> => {
  try {
    const identity = await context.identify(request)
    if (identity === null)
      return refusal(401, GatewayCode.unauthenticated, "sign in, or send valid credentials")
    if (identity.expiresAt !== undefined && !(identity.expiresAt > context.now())) return expired
    return identity
  } catch (cause) {
    context.onFault({ where: "identify", node, cause })
    return failed(cause, "the caller could not be identified")
  }
}

/** What the rule says, or said a moment ago. Only exactly `true` is a yes. */
const denied = async <Identity extends GatewayIdentity>(
  context: AdmitContext<Identity>,
  request: Request,
  identity: Identity,
  node: string,
  bindings: Readonly<Record<string, string>>,
): Promise<Refusal | null> => {
  const rule = context.ruleOf(node)
  if (rule === "public") return null
  const question: Question = { identity, node, bindings }
  try {
    const allowed =
      rule !== undefined &&
      (await context.decisions.decide(question, () => rule({ identity, bindings, request })))
    return allowed ? null : refusal(403, GatewayCode.revoked, `these rows of "${node}" are not yours`)
  } catch (cause) {
    context.onFault({ where: "rule", node, cause })
    return failed(cause, "the rule could not be decided")
  }
}

/** Asks both functions of the app again, for a request that is open already. */
const asksAgain =
  <Identity extends GatewayIdentity>(
    context: AdmitContext<Identity>,
    request: Request,
    node: string,
    bindings: Readonly<Record<string, string>>,
  ) =>
  async (): Promise<Refusal | null> => {
    const identity = await identified(context, request, node)
    return isRefusal(identity) ? identity : denied(context, request, identity, node, bindings)
  }

/** Holds the caller to its limits. */
const limited = (
  limiter: Limiter | null,
  passage: Passage,
  identity: GatewayIdentity,
  now: number,
): Refusal | null => {
  if (limiter === null) return null
  const entry = limiter.enter(subjectOf(identity), now)
  if (entry._tag === "Entered") {
    passage.releases.push(entry.leave)
    return null
  }
  const message =
    entry.what === "rate"
      ? "too many requests; wait before the next"
      : "too many requests are open at the same time"
  return refusal(429, GatewayCode.rateLimited, message, entry.retryAfterSeconds)
}

/** Decides on a request. What it leaves behind is in `passage.releases`, whatever the decision. */
export const admit = async <Identity extends GatewayIdentity>(
  context: AdmitContext<Identity>,
  request: Request,
  passage: Passage,
): Promise<Admitted | Refusal> => {
  const ask = readAsk(context.graph, new URL(request.url).search)
  if (ask._tag === "Refusal") return ask
  passage.node = ask.node
  const identity = await identified(context, request, ask.node)
  if (isRefusal(identity)) return identity
  const tooMany = limited(context.limiter, passage, identity, context.now())
  if (tooMany !== null) return tooMany
  const instance = compileAsk(context.graph, ask, identity.params)
  if (isRefusal(instance)) return instance
  const { bindings } = instance
  // Registered before the rule is asked: a revocation meanwhile must find the request.
  const wait = context.waits.open({
    question: { identity, node: ask.node, bindings },
    expiresInMillis: identity.expiresAt === undefined ? null : identity.expiresAt - context.now(),
    expired,
    again: asksAgain(context, request, ask.node, bindings),
  })
  passage.releases.push(wait.leave)
  // The rule before the definition: a client that may no longer read must hear so even from an old release.
  const no = await denied(context, request, identity, ask.node, bindings)
  const refused = no ?? checkDefinition(ask, instance)
  if (refused !== null) return refused
  return isRefusal(wait.signal.reason) ? wait.signal.reason : { ask, instance, wait }
}

/**
 * A test kit for an app's own rules: ask the gateway's real decision, without a server, who may have which instance. The same code decides
 * here and in production, so a rule that passes here cannot mean something else there. Throws plain errors, for any test runner.
 */
import { type Graph, GraphInvalid, type NodeIdOf, validateGraph } from "@espalier/engine/graph"
import { type Instance, Wire } from "@espalier/engine/protocol"
import { admit, type AdmitContext } from "./admit.ts"
import { isRefusal } from "./authorize.ts"
import { Decisions } from "./decisions.ts"
import type { BindingNameOf, GatewayIdentity, Rule, Rules } from "./Rules.ts"
import { Waits } from "./waits.ts"

/** What the gateway would say. */
export type Verdict =
  | { readonly allowed: true; readonly instance: Instance }
  | { readonly allowed: false; readonly status: number; readonly code: string; readonly message: string }

/** The policy of a graph and its rules. */
export interface Policy<G extends Graph.Graph, Identity extends GatewayIdentity> {
  /** What the gateway would say to this caller. */
  readonly decide: <Id extends NodeIdOf<G>>(
    identity: Identity | null,
    node: Id,
    bindings: Readonly<Record<BindingNameOf<G, Id>, string>>,
    clientParams?: Readonly<Record<string, string>>,
  ) => Promise<Verdict>
  /** @throws Error when the caller is refused, with the status, code and message it would see */
  readonly expectAllowed: <Id extends NodeIdOf<G>>(
    identity: Identity | null,
    node: Id,
    bindings: Readonly<Record<BindingNameOf<G, Id>, string>>,
    clientParams?: Readonly<Record<string, string>>,
  ) => Promise<Instance>
  /** @throws Error when the caller is let through, or refused with another status than the one expected (default: 401 or 403) */
  readonly expectDenied: <Id extends NodeIdOf<G>>(
    identity: Identity | null,
    node: Id,
    bindings: Readonly<Record<BindingNameOf<G, Id>, string>>,
    clientParams?: Readonly<Record<string, string>>,
    status?: number,
  ) => Promise<void>
}

const query = (
  node: string,
  bindings: Readonly<Record<string, string>>,
  clientParams: Readonly<Record<string, string>>,
): string => {
  const search = new URLSearchParams({ [Wire.GatewayParam.node]: node })
  for (const [name, value] of Object.entries(bindings)) {
    search.set(`${Wire.GatewayParam.bindingPrefix}${name}`, value)
  }
  for (const [name, value] of Object.entries(clientParams)) {
    search.set(`${Wire.GatewayParam.paramPrefix}${name}`, value)
  }
  return search.toString()
}

const describeAsk = (identity: GatewayIdentity | null, node: string, bindings: object): string =>
  `${identity === null ? "nobody" : JSON.stringify(identity.params)} asking for ${node} ${JSON.stringify(bindings)}`

/**
 * The policy of an app: `const { expectAllowed, expectDenied } = policyOf({ graph, rules })`.
 *
 * @throws GraphInvalid when the graph is invalid
 */
export const policyOf = <G extends Graph.Graph, Identity extends GatewayIdentity>(options: {
  readonly graph: G
  readonly rules: Rules<G, Identity>
}): Policy<G, Identity> => {
  const problems = validateGraph(options.graph)
  if (problems.length > 0) throw new GraphInvalid(options.graph.name, problems)
  const rules: Readonly<Record<string, Rule<Identity>>> = { ...options.rules }
  const decide: Policy<G, Identity>["decide"] = async (identity, node, bindings, clientParams = {}) => {
    const failures: Array<unknown> = []
    const request = new Request(`http://policy.test/?${query(node, bindings, clientParams)}`)
    const context: AdmitContext<Identity> = {
      graph: options.graph,
      identify: () => identity,
      ruleOf: (id) => (Object.hasOwn(rules, id) ? rules[id] : undefined),
      decisions: new Decisions(0, () => 0),
      limiter: null,
      waits: new Waits(),
      now: () => 0,
      onFault: ({ cause }) => failures.push(cause),
    }
    const passage = { node: null, releases: [] as Array<() => void> }
    const admitted = await admit(context, request, passage)
    for (const release of passage.releases) release()
    if (failures.length > 0) throw failures[0]
    if (!isRefusal(admitted)) return { allowed: true, instance: admitted.instance }
    const { code, message, status } = admitted
    return { allowed: false, status, code, message }
  }
  return {
    decide,
    expectAllowed: async (identity, node, bindings, clientParams) => {
      const verdict = await decide(identity, node, bindings, clientParams)
      if (verdict.allowed) return verdict.instance
      const { code, message, status } = verdict
      throw new Error(`${describeAsk(identity, node, bindings)} is refused: ${status} ${code}: ${message}`)
    },
    expectDenied: async (identity, node, bindings, clientParams, status) => {
      const verdict = await decide(identity, node, bindings, clientParams)
      if (verdict.allowed) throw new Error(`${describeAsk(identity, node, bindings)} is let through`)
      const expected = status === undefined ? [401, 403] : [status]
      if (expected.includes(verdict.status)) return
      const { code, message } = verdict
      throw new Error(
        `${describeAsk(identity, node, bindings)} is refused with ${verdict.status} ${code} (${message}), not with ${expected.join(" or ")}`,
      )
    },
  }
}

/** The gateway of an app with tokens and a database, as the guide in `docs/gateway.md` shows it. */
import { Gateway, type GatewayIdentity, RuleUnavailable } from "@espalier/gateway"
import { type JwtKey, jwtIdentity } from "@espalier/gateway/jwt"
import { graph } from "../../engine/examples/workspaces.graph.ts"

/** What the rules ask; any database client will do. */
export interface Memberships {
  readonly isMember: (userId: string, companyId: string) => Promise<boolean>
}

// #region rules
export interface Caller extends GatewayIdentity {
  readonly params: { readonly userId: string }
}

export const rulesOver = (memberships: Memberships) => {
  const mayEnter = async (caller: Caller, companyId: string): Promise<boolean> => {
    try {
      return await memberships.isMember(caller.params.userId, companyId)
    } catch (cause) {
      // 503 and "come again" instead of 500: the database is away, the rule is not wrong.
      throw new RuleUnavailable("the database cannot be reached", { cause })
    }
  }
  const ofCompany = (context: { identity: Caller; bindings: { company_id: string } }) =>
    mayEnter(context.identity, context.bindings.company_id)
  return {
    // "public": their own filter confines them to the caller's rows.
    user: "public",
    memberships: "public",
    companies: (context: { identity: Caller; bindings: { id: string } }) =>
      mayEnter(context.identity, context.bindings.id),
    members: ofCompany,
    people: ofCompany,
    groups: ofCompany,
    groupMembers: ofCompany,
    workspaces: ofCompany,
    folders: ofCompany,
  } as const
}
// #endregion

// #region make
export const makeGateway = (options: {
  readonly electricUrl: string
  readonly electricSecret: string
  readonly tokenKey: JwtKey
  readonly memberships: Memberships
}) =>
  Gateway.make({
    graph,
    electric: { url: options.electricUrl, secret: options.electricSecret },
    identify: jwtIdentity<Caller>({
      key: options.tokenKey,
      algorithms: ["HS256"],
      identity: ({ sub }) => (sub === undefined ? null : { params: { userId: sub }, subject: sub }),
    }),
    rules: rulesOver(options.memberships),
    path: "/v1/shape",
    cors: { origins: ["https://app.example.com"] },
    onRequest: (entry) => process.stdout.write(`${JSON.stringify(entry)}\n`),
    onFault: ({ where, node, cause }) => process.stderr.write(`${where} ${node ?? ""}: ${String(cause)}\n`),
  })
// #endregion

// #region revoke
/** Ends the person's open requests for the company at once: call it after the change is committed. */
export const removeMember = async (
  gateway: Gateway.Gateway,
  deleteMembership: () => Promise<void>,
  userId: string,
  companyId: string,
): Promise<void> => {
  await deleteMembership()
  await gateway.revoke({ params: { userId }, bindings: { company_id: companyId } })
}
// #endregion

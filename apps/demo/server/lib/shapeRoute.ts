/**
 * Mounts the gateway: who asks (the session cookie), and who may have which node. Company nodes ask the database,
 * because a membership may be a moment old or gone (a yes holds for a second, or until `revoke`); the nodes of one's own rows are bound to the identity by the graph.
 */
import {
  Gateway,
  type GatewayFault,
  type GatewayIdentity,
  type RuleContext,
  RuleUnavailable,
} from "@espalier/gateway"
import { graph } from "../../shared/graph.ts"
import { rowsOf, type Database } from "./database/Database.ts"
import { HttpProblem } from "./http/HttpProblem.ts"
import { cookieFromHeader, verifySession } from "./session/cookie.ts"
import type { Settings } from "./settings.ts"

export interface ShapeRouteOptions {
  readonly settings: Settings
  readonly database: Database
  readonly secret: string
}

/** True when the person is a member of the company now. */
const isMember = async (
  database: Database,
  userId: string | undefined,
  companyId: string,
): Promise<boolean> => {
  if (userId === undefined) return false
  const rows = await rowsOf(
    database,
    "select 1 as found from company_members where user_id = $1::uuid and company_id = $2::uuid",
    [userId, companyId],
  )
  return rows.length > 0
}

/** What reaches the log when the gateway answers with an error of its own: where and why, never a cookie or a secret. */
const report = ({ where, node, cause }: GatewayFault): void => {
  console.warn(`Shape refused (${where}${node === null ? "" : `, node ${node}`}): ${String(cause)}`)
}

/** Makes the gateway. @throws GatewayInvalid when a node of the graph has no rule */
export const shapeRoute = ({ settings, database, secret }: ShapeRouteOptions): Gateway.Gateway => {
  const mayEnter = async (identity: GatewayIdentity, companyId: string): Promise<boolean> => {
    try {
      return await isMember(database, identity.params["userId"], companyId)
    } catch (cause) {
      if (!(cause instanceof HttpProblem) || cause.code !== "database_unreachable") throw cause
      throw new RuleUnavailable("the database cannot be reached", { cause })
    }
  }
  const ofCompany = ({ identity, bindings }: RuleContext<GatewayIdentity, "company_id">): Promise<boolean> =>
    mayEnter(identity, bindings.company_id)
  return Gateway.make({
    graph,
    electric: { url: settings.electric.url, secret: settings.electric.secret ?? undefined },
    identify: (request) => {
      const verdict = verifySession(cookieFromHeader(request.headers.get("cookie")), secret, Date.now())
      return verdict._tag === "valid" ? { params: { userId: verdict.session.userId } } : null
    },
    rules: {
      // Confined to the identity by their own filter.
      user: "public",
      memberships: "public",
      companies: ({ identity, bindings }) => mayEnter(identity, bindings.id),
      members: ofCompany,
      people: ofCompany,
      groups: ofCompany,
      groupMembers: ofCompany,
      workspaces: ofCompany,
      folders: ofCompany,
    },
    onFault: report,
  })
}

/**
 * Mounts the gateway: who asks (the session cookie), and who may have which node. Company nodes ask the database each time,
 * because a membership may be a moment old or gone; the nodes of one's own rows are bound to the identity by the graph.
 */
import { Gateway, type GatewayFault, type GatewayIdentity, type RuleContext } from "@espalier/gateway"
import { Wire } from "@espalier/engine/protocol"
import { graph } from "../../shared/graph.ts"
import { rowsOf, type Database } from "./database/Database.ts"
import { HttpProblem } from "./http/HttpProblem.ts"
import { cookieFromHeader, verifySession } from "./session/cookie.ts"
import type { Settings } from "./settings.ts"

/** The gateway as a web-standard handler. */
export type ShapeRoute = (request: Request) => Promise<Response>

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

const unreachable = (): Response =>
  Response.json(
    { code: Wire.GatewayCode.upstreamUnreachable, message: "the server's database cannot be reached" },
    { status: 502, headers: { "cache-control": "no-store" } },
  )

/** Makes the route. @throws GatewayInvalid when a node of the graph has no rule */
export const shapeRoute = ({ settings, database, secret }: ShapeRouteOptions): ShapeRoute => {
  // Requests whose rule could not be asked because the database does not answer.
  const undecided = new WeakSet<Request>()
  const mayEnter = async (
    request: Request,
    identity: GatewayIdentity,
    companyId: string,
  ): Promise<boolean> => {
    try {
      return await isMember(database, identity.params["userId"], companyId)
    } catch (cause) {
      if (cause instanceof HttpProblem && cause.code === "database_unreachable") undecided.add(request)
      throw cause
    }
  }
  const ofCompany = ({
    identity,
    bindings,
    request,
  }: RuleContext<GatewayIdentity, "company_id">): Promise<boolean> =>
    mayEnter(request, identity, bindings.company_id)
  const gateway = Gateway.make({
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
      companies: ({ identity, bindings, request }) => mayEnter(request, identity, bindings.id),
      members: ofCompany,
      people: ofCompany,
      groups: ofCompany,
      groupMembers: ofCompany,
      workspaces: ofCompany,
      folders: ofCompany,
    },
    onFault: report,
  })
  return async (request) => {
    const answer = await gateway(request)
    // The gateway calls that its own failure (500). To the browser it is a server it cannot reach, like Electric itself.
    return undecided.has(request) ? unreachable() : answer
  }
}

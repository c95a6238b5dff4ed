/**
 * Server-side authorisation of shapes (design §9): `Gateway.make({ graph, electric, identify, rules })` returns a Web-standard
 * `Request → Response`, to be mounted in Nitro, Node or any other server. Deny by default; the client never sends SQL.
 */
export * as Gateway from "./handler.ts"
export type { CorsOptions } from "./cors.ts"
export type { RevokeTarget } from "./decisions.ts"
export type { LimitOptions } from "./limits.ts"
export { type AccessEntry, metricsContentType } from "./observe.ts"
export { type GatewayFault, GatewayInvalid, type GatewayOptions } from "./options.ts"
export {
  type BindingNameOf,
  type GatewayIdentity,
  type Rule,
  type RuleContext,
  type Rules,
  RuleUnavailable,
} from "./Rules.ts"

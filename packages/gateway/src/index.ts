/**
 * Server-side authorisation of shapes (design §9): `Gateway.make({ graph, electric, identify, rules })` returns a Web-standard
 * `Request → Response`, to be mounted in Nitro, Node or any other server. Deny by default; the client never sends SQL.
 */
export * as Gateway from "./handler.ts"
export type { GatewayFault, GatewayOptions } from "./handler.ts"
export { GatewayInvalid } from "./handler.ts"
export type { BindingNameOf, GatewayIdentity, Rule, RuleContext, Rules } from "./Rules.ts"

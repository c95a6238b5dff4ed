/** Public surface of the page half. Carries no Effect. */
export { createEngineClient } from "./EngineClient.ts"
export type { BrowserEngineClient, EngineClientSettings } from "./EngineClient.ts"
export { CallFailed, ClientClosed, HostFailed, HostUnavailable, UnknownNode } from "./errors.ts"
export type * from "../contract.ts"

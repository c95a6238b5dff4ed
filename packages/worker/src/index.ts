/**
 * Public surface of the worker package for pages: the client and the contract. The host itself is a bundle
 * (`dist/bundle`), not an import.
 */
export { createEngineClient } from "./client/EngineClient.ts"
export type { BrowserEngineClient, EngineClientSettings } from "./client/EngineClient.ts"
export { CallFailed, ClientClosed, HostFailed, HostUnavailable, UnknownNode } from "./client/errors.ts"
export type * from "./contract.ts"

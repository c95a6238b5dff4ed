/** Public surface of the engine. Adapters, graph, protocol and test kit have entry points of their own. */
export { Engine } from "./Engine.ts"
export type { CommitNotice, EngineOptions, Lease } from "./Engine.ts"
export { Credentials, makeCredentials, noCredentials } from "./ports/Credentials.ts"
export type {
  CredentialsOptions,
  CredentialsShape,
  IssuedCredentials,
  RequestCredentials,
} from "./ports/Credentials.ts"
export { Broadcast, Current } from "./ports/Broadcast.ts"
export { defaultEngineConfig, EngineConfig } from "./ports/EngineConfig.ts"
export type { EngineConfigShape } from "./ports/EngineConfig.ts"
export { HostSignals } from "./ports/HostSignals.ts"
export type { HostSignal } from "./ports/HostSignals.ts"
export { LocalStore, StoreError } from "./ports/LocalStore.ts"
export type {
  CommitResult,
  InstanceCommit,
  InstanceOutcome,
  OwnerRow,
  OwnerRows,
  StoredInstance,
  TableChange,
} from "./ports/LocalStore.ts"
export { ShapeSource } from "./ports/ShapeSource.ts"
export type {
  Batch,
  MustRefetch,
  SourceEvent,
  SourceListener,
  SourceSignal,
  SourceWait,
  Subscribe,
} from "./ports/ShapeSource.ts"
export { changesOf } from "./ports/subscriptions.ts"

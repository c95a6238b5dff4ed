/** Public surface of the in-memory adapters: fakes with a script API, for tests and the demo of a test. */
export { ScriptedShapeSource } from "./ScriptedShapeSource.ts"
export type { ScriptedRun, ScriptStep, StartScript } from "./ScriptedShapeSource.ts"
export { makeMemoryStore, MemoryLocalStore } from "./MemoryLocalStore.ts"
export type { FailureMoment, MemoryStoreControls, StoreOperation } from "./MemoryLocalStore.ts"

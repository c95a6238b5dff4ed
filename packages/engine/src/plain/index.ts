/** The engine without Effect in its signatures. */
export { createEngine } from "./createEngine.ts"
export type {
  Abortable,
  CreateEngineOptions,
  PlainEngine,
  Releasable,
  SourceOption,
  StoreOption,
} from "./createEngine.ts"

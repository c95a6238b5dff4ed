/** Public surface of the protocol floor. */
export * as Wire from "./constants.ts"
export type { Checkpoint } from "./Checkpoint.ts"
export {
  CompileError,
  compileInstance,
  localQuery,
  localTableDdl,
  ownedBy,
  ownership,
  quoteIdent,
  quoteIdentIfNeeded,
  schemaVersion,
  tableVersion,
} from "./compile.ts"
export type { LocalQuery, Ownership, OwnerBinding } from "./compile.ts"
export { localFailures, wireFailures } from "./failures.ts"
export type { FailureRow } from "./failures.ts"
export type * from "./InstanceStatus.ts"
export type { RequestEntry, RequestOutcome, RequestPhase } from "./RequestEntry.ts"
export { isChange, isControl, isEvent, isMoveOut, isSnapshotEnd, isUpToDate } from "./Message.ts"
export type {
  ChangeMessage,
  ControlMessage,
  EventMessage,
  Message,
  MovePattern,
  SnapshotVisibility,
  TextRow,
} from "./Message.ts"
export { contentSize, nullSpan, packedContent, packedRow, packedText, withContent } from "./PackedRows.ts"
export type { Content, PackedRows } from "./PackedRows.ts"
export type { DefinitionHash, Instance, InstanceKey, ShapeDefinition } from "./Shape.ts"
export * from "./ShapeError.ts"

/** Public surface of the Vue bindings. */
export { createEspalier } from "./plugin.ts"
export type { EspalierOptions } from "./plugin.ts"
export { EspalierMissing, espalierKey, useEspalier } from "./injection.ts"
export type { Espalier, NameOption } from "./injection.ts"
export { defineEspalier } from "./define.ts"
export type { EspalierComposables } from "./define.ts"
export { sql } from "./sql.ts"
export type { LiveSql, SqlTemplate } from "./sql.ts"
export { useRows } from "./useRows.ts"
export type { RowsOptions, RowsOrder, RowsWhere, UseRows } from "./useRows.ts"
export { useLiveQuery } from "./useLiveQuery.ts"
export type { LiveQuery, LiveQueryOptions, UseLiveQuery } from "./useLiveQuery.ts"
export { DrizzleQueryUnsupported } from "./internal/drizzle.ts"
export type { DrizzleQuery } from "./internal/drizzle.ts"
export { RowsUnavailable } from "./internal/liveRows.ts"
export type { LiveRows } from "./internal/liveRows.ts"
export type { AwaitableRows } from "./internal/awaitable.ts"
export { RowsOptionInvalid } from "./internal/rowsQuery.ts"
export { useNode } from "./useNode.ts"
export type { NodeOptions, NodeState, UseNode } from "./useNode.ts"
export { useInstance } from "./useInstance.ts"
export type { InstanceState } from "./useInstance.ts"
export { useSyncStatus } from "./useSyncStatus.ts"
export type { SyncStatus } from "./useSyncStatus.ts"
export { useLease } from "./useLease.ts"
export type { LeaseOptions, LeaseState, UseLease } from "./useLease.ts"
export { useExplain } from "./useExplain.ts"
export type { ExplainState } from "./useExplain.ts"
export { useJournal } from "./useJournal.ts"
export type { JournalOptions, JournalState } from "./useJournal.ts"
export { useStorage } from "./useStorage.ts"
export type { StorageState } from "./useStorage.ts"
export { useCredentials } from "./useCredentials.ts"
export type { CredentialsState } from "./useCredentials.ts"
export { useParams } from "./useParams.ts"
export type { ParamsState } from "./useParams.ts"
export { SyncBoundary } from "./SyncBoundary.ts"
export type { BoundaryError, BoundaryProps, BoundarySlots } from "./SyncBoundary.ts"
export type { AnyGraph, BindingNameOf, BindingsOf, ColumnOf, RegisteredGraph, RowOf } from "./types.ts"

/**
 * Where an app names its graph once, so that the composables imported from `@espalier/vue` are typed by it:
 *
 *     declare module "@espalier/vue" { interface Register { graph: typeof graph } }
 *
 * An app with several graphs uses `defineEspalier` instead. Declared in this very file because TypeScript
 * merges an augmentation only into a module's own declarations.
 */
// oxlint-disable-next-line typescript/no-empty-interface -- filled by the app's own declaration
export interface Register {}
export { SyncPanel } from "./panel/SyncPanel.ts"
export { httpFaults } from "./panel/faults.ts"
export type { FaultControl, FaultInForce, FaultRequest, HttpFaultsOptions } from "./panel/faults.ts"
export { SyncIndicator } from "./panel/SyncIndicator.ts"

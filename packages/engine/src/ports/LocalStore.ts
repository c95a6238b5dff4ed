/**
 * Port: the one writer to the local database. Rows, provenance, tag state and checkpoint commit together (design §5).
 * Implemented by the PGlite adapter and by the memory store; called by the reconciler only. Application tables keep exactly the
 * declared columns; everything of ours lives in the schema `espalier`.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type { Checkpoint } from "../protocol/Checkpoint.ts"
import type { Message } from "../protocol/Message.ts"
import type { Content } from "../protocol/PackedRows.ts"
import type { Instance, InstanceKey } from "../protocol/Shape.ts"

/** The store as a whole failed; nothing of the call stays. */
export class StoreError extends Data.TaggedError("StoreError")<{
  readonly operation: string
  readonly kind: "unavailable" | "quota" | "schema" | "corrupt"
  readonly cause: unknown
}> {
  override get message(): string {
    return `local store failed in ${this.operation} (${this.kind}): ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
  }
}

/**
 * One instance's share of a commit.
 *
 * - `append`: apply on top of what the instance holds (first snapshot chunks, and log up to an up-to-date).
 * - `stage`: a refetch is under way; write beside, old rows stay readable.
 * - `swap`: last part of a refetch; apply it to the stage, then make the stage the instance's rows, touching only rows that differ.
 */
export interface InstanceCommit extends Content {
  readonly instance: Instance
  readonly mode: "append" | "stage" | "swap"
  readonly messages: ReadonlyArray<Message>
  readonly checkpoint: Checkpoint
  /** The messages end with up-to-date. Always true for `swap`. */
  readonly upToDate: boolean
}

/** An instance as the store holds it. */
export interface StoredInstance {
  readonly key: InstanceKey
  readonly node: string
  readonly table: string
  readonly bindings: Readonly<Record<string, string>>
  readonly hash: string
  /** Where its readable rows stand; null when it must start from the beginning (never synced, or tag state in doubt). */
  readonly checkpoint: Checkpoint | null
  /** An up-to-date was committed at least once, so its rows are complete as of the checkpoint. */
  readonly complete: boolean
  /** Epoch milliseconds of the last committed up-to-date. */
  readonly lastUpToDateAt: number | null
  readonly rows: number
}

/** What one commit did to a local table, in rows. */
export interface TableChange {
  readonly inserted: number
  readonly updated: number
  readonly deleted: number
}

/** Outcome for one instance of a commit. A rejected one left nothing behind; the others went through. */
export type InstanceOutcome =
  | { readonly _tag: "Committed"; readonly key: InstanceKey; readonly rows: number }
  | {
      readonly _tag: "Rejected"
      readonly key: InstanceKey
      readonly table: string
      /** `row`: Postgres refused a value; `unknown-row`: an update named a row the instance does not hold → refetch. */
      readonly kind: "row" | "unknown-row"
      readonly message: string
    }

export interface CommitResult {
  readonly outcomes: ReadonlyArray<InstanceOutcome>
  /** Local tables whose rows changed, with counts. Tables without a change are absent. */
  readonly changes: Readonly<Record<string, TableChange>>
}

/** One row as far as the bindings of children go. */
export interface OwnerRow {
  /** Its primary key as canonical Postgres text, in key order: equal texts are equal rows. */
  readonly key: ReadonlyArray<string>
  /** Postgres text in the order of the asked columns; null when the owner does not hold the row or a value is NULL. */
  readonly values: ReadonlyArray<string> | null
}

/** The rows one owner instance holds. */
export interface OwnerRows {
  readonly owner: InstanceKey
  readonly rows: ReadonlyArray<OwnerRow>
}

export class LocalStore extends Context.Service<
  LocalStore,
  {
    /** Every instance held, as of the last durable commit. */
    readonly instances: Effect.Effect<ReadonlyArray<StoredInstance>, StoreError>
    /** Applies all shares in one transaction (a rejected share is undone alone). Instances are created by their first commit. */
    readonly commit: (shares: ReadonlyArray<InstanceCommit>) => Effect.Effect<CommitResult, StoreError>
    /** Forgets a staged refetch, keeping the readable rows and their checkpoint void: the next run starts from the beginning. */
    readonly discardStage: (key: InstanceKey) => Effect.Effect<void, StoreError>
    /** Drops instances and every row that no other held instance holds, in one transaction. Unknown keys are ignored. */
    readonly collect: (keys: ReadonlyArray<InstanceKey>) => Effect.Effect<CommitResult, StoreError>
    /**
     * The rows held by each of `owners` (provenance, not the table) whose asked columns are all non-NULL, sorted by values, then
     * key. Unknown owners have none.
     */
    readonly ownerRows: (
      owners: ReadonlyArray<InstanceKey>,
      columns: ReadonlyArray<string>,
    ) => Effect.Effect<ReadonlyArray<OwnerRows>, StoreError>
    /** As {@link ownerRows}, of these rows only: one answer per asked primary key (Postgres text), in the order asked. */
    readonly ownerRowsAt: (
      owner: InstanceKey,
      columns: ReadonlyArray<string>,
      primaryKeys: ReadonlyArray<ReadonlyArray<string>>,
    ) => Effect.Effect<ReadonlyArray<OwnerRow>, StoreError>
    /** Which instances hold a row; `primaryKey` as Postgres text in key order. */
    readonly holders: (
      table: string,
      primaryKey: ReadonlyArray<string>,
    ) => Effect.Effect<ReadonlyArray<InstanceKey>, StoreError>
    /** Primary keys (Postgres text, key order) of the rows an instance holds, sorted. */
    readonly heldKeys: (key: InstanceKey) => Effect.Effect<ReadonlyArray<ReadonlyArray<string>>, StoreError>
    /** Removes every row and instance (sign-out). */
    readonly wipe: Effect.Effect<void, StoreError>
  }
>()("@espalier/engine/ports/LocalStore") {}

/**
 * Messages of a shape's log as they come off the wire, values still Postgres text. Discriminate on shape: `key` →
 * change, `headers.control` → control, `headers.event` → event; unknown kinds are skipped (protocol reference §3).
 * Types and guards only; nothing here reads the network.
 */
import { Control, MoveEvent } from "./constants.ts"

/** A row as Postgres text by column; absent columns were not sent, `null` is SQL NULL. */
export type TextRow = Readonly<Record<string, string | null>>

export interface ChangeHeaders {
  readonly operation: "insert" | "update" | "delete"
  readonly relation?: ReadonlyArray<string>
  /** Commit LSN, decimal. Absent on snapshot and move-in rows. */
  readonly lsn?: string
  readonly op_position?: number
  readonly txids?: ReadonlyArray<number>
  readonly last?: boolean
  /** One string per disjunct, slots joined by `/`. Only on shapes with subqueries (protocol reference §6.1). */
  readonly tags?: ReadonlyArray<string>
  readonly removed_tags?: ReadonlyArray<string>
  readonly active_conditions?: ReadonlyArray<boolean>
  readonly is_move_in?: boolean
}

export interface ChangeMessage {
  /** Opaque; never a row's identity (snapshot and log may spell it differently). */
  readonly key: string
  readonly value: TextRow
  readonly old_value?: TextRow
  readonly headers: ChangeHeaders
}

/** The visibility of a Postgres snapshot; 64-bit xids as decimal text. */
export interface SnapshotVisibility {
  readonly xmin: string
  readonly xmax: string
  readonly xip_list: ReadonlyArray<string>
}

export interface ControlMessage {
  readonly headers: {
    readonly control: "up-to-date" | "must-refetch" | "snapshot-end" | "subset-end"
    readonly global_last_seen_lsn?: string
  } & Partial<SnapshotVisibility>
}

export interface MovePattern {
  readonly pos: number
  readonly value: string
}

export interface EventMessage {
  readonly headers: {
    readonly event: "move-out" | "move-in"
    readonly patterns: ReadonlyArray<MovePattern>
    readonly txids?: ReadonlyArray<number>
  }
}

export type Message = ChangeMessage | ControlMessage | EventMessage

export const isChange = (message: Message): message is ChangeMessage => "key" in message
export const isControl = (message: Message): message is ControlMessage => "control" in message.headers
export const isEvent = (message: Message): message is EventMessage => "event" in message.headers
export const isUpToDate = (message: Message): boolean =>
  isControl(message) && message.headers.control === Control.upToDate
export const isSnapshotEnd = (message: Message): boolean =>
  isControl(message) && message.headers.control === Control.snapshotEnd
export const isMoveOut = (message: Message): message is EventMessage =>
  isEvent(message) && message.headers.event === MoveEvent.moveOut

/**
 * Where an instance's stored rows stand in its shape's log. Written in the same transaction as the rows it
 * belongs to, and taken when a batch is received, never later (protocol reference §12.5.1).
 */

/** Handle and offset are opaque texts, sent back exactly as received. */
export interface Checkpoint {
  readonly handle: string
  readonly offset: string
}

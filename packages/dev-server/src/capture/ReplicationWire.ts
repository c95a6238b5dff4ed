/**
 * The streaming replication protocol over one connection of `pg`: log data and keep-alives in, status updates out
 * (https://www.postgresql.org/docs/current/protocol-replication.html). `pg` hands a running copy to its query object, so
 * this is one. Knows nothing of what the data mean.
 */
import type pg from "pg"
import { type Lsn } from "./pgoutput.ts"

/** What comes in. */
export interface WireEvents {
  /** A message of the plugin, and the place in the log up to which Postgres had read. */
  readonly onMessage: (bytes: Buffer, lsn: Lsn) => void
  readonly onKeepAlive: (lsn: Lsn, isAsking: boolean) => void
  /** The stream ended, with an error or without. */
  readonly onEnd: (error: unknown) => void
}

/** The parts of a connection of `pg` that its type declarations leave out. */
interface Connection {
  readonly query: (text: string) => void
  readonly sendCopyFromChunk: (chunk: Buffer) => void
  readonly once: (event: "replicationStart", heard: () => void) => void
}

/** Microseconds from 1970 to 2000, where Postgres's clock begins. */
const postgresEpochMicros = 946_684_800_000_000n

const xLogData = 0x77
const keepAlive = 0x6b
const statusUpdate = 0x72

const readLsn = (bytes: Buffer, at: number): Lsn =>
  bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4)

/** A started stream. */
export class ReplicationWire {
  readonly #text: string
  readonly #events: WireEvents
  #connection: Connection | null = null
  #started: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | null = null

  private constructor(text: string, events: WireEvents) {
    this.#text = text
    this.#events = events
  }

  /** Sends START_REPLICATION. Resolves when Postgres has begun to stream. */
  static start(client: pg.Client, command: string, events: WireEvents): Promise<ReplicationWire> {
    return new Promise((resolve, reject) => {
      const wire = new ReplicationWire(command, events)
      wire.#started = { resolve: () => resolve(wire), reject }
      client.query(wire)
    })
  }

  /**
   * `received` has arrived here; nothing up to `confirmed` is needed again. `isAsking` asks for a keep-alive back. `now` is
   * in milliseconds since 1970.
   */
  report(received: Lsn, confirmed: Lsn, isAsking: boolean, now: number): void {
    const bytes = Buffer.alloc(34)
    bytes.writeUInt8(statusUpdate, 0)
    bytes.writeBigUInt64BE(BigInt(received), 1)
    bytes.writeBigUInt64BE(BigInt(confirmed), 9)
    bytes.writeBigUInt64BE(BigInt(confirmed), 17)
    bytes.writeBigInt64BE(BigInt(now) * 1000n - postgresEpochMicros, 25)
    bytes.writeUInt8(isAsking ? 1 : 0, 33)
    this.#connection?.sendCopyFromChunk(bytes)
  }

  /** Called by `pg` when the connection is ours. */
  submit(connection: unknown): void {
    this.#connection = connection as Connection
    this.#connection.once("replicationStart", () => {
      this.#started?.resolve()
      this.#started = null
    })
    this.#connection.query(this.#text)
  }

  /** Called by `pg` for every piece of the stream. */
  handleCopyData(message: { readonly chunk: Buffer }): void {
    const { chunk } = message
    if (chunk[0] === xLogData) this.#events.onMessage(chunk.subarray(25), readLsn(chunk, 9))
    if (chunk[0] === keepAlive) this.#events.onKeepAlive(readLsn(chunk, 1), chunk[17] === 1)
  }

  /** Called by `pg` when Postgres refuses or ends the stream, or the connection breaks. */
  handleError(error: unknown): void {
    this.#end(error)
  }

  handleReadyForQuery(): void {
    this.#end(new Error("Postgres ended the replication stream"))
  }

  handleCommandComplete(): void {
    // The end itself follows as "ready for query".
  }

  #end(error: unknown): void {
    this.#connection = null
    const started = this.#started
    this.#started = null
    if (started === null) this.#events.onEnd(error)
    else started.reject(error)
  }
}

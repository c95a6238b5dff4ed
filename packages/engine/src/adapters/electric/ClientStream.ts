/**
 * One life of the official client's `ShapeStream`, kept on a short leash. The client drives the request loop: addresses, cursors,
 * prefetch, long polls. Everything else it would do by itself is taken from it here (protocol reference §4.6, §12.2):
 *
 * - It sees only an envelope of each answer, `[{"headers":{"control":"snapshot-end","envelope":"7"}}]`; the messages are decoded once, by us, and
 *   looked up when the envelope reaches the subscriber. So no value is parsed, no NULL throws, and no bad row is skipped.
 * - It never sees an error status. A failure ends the run, a 409 or a silent reset ends this stream; both abort the client first.
 * - It never sees an up-to-date message. It is switched to live polling by an empty 204 that is answered here, without a request. So
 *   its module-level caches (up-to-date tracker, expired handles) stay empty and cannot leak into another stream.
 * - Its visibility pause and wake timer are switched off: pauses and clock jumps are the engine's.
 *
 * A stream is never restarted: a refetch makes a new one, and so does a poll that had to wait for its connection. Called by `ShapeRun.ts` only.
 */
import { ShapeStream, type Offset } from "@electric-sql/client"
import type { Batch } from "../../ports/ShapeSource.ts"
import type { Checkpoint } from "../../protocol/Checkpoint.ts"
import { Control, Header, OffsetWord, Param } from "../../protocol/constants.ts"
import { contentSize, withContent } from "../../protocol/PackedRows.ts"
import type { RequestFacts } from "./urls.ts"
import { requestFacts } from "./urls.ts"
import type { DecodedBody } from "./wire.ts"

/** What the run does for its stream. */
export interface StreamOwner {
  /** Makes the request, or rejects; a rejection after `close` is expected by the client. */
  readonly respond: (stream: ClientStream, request: StreamRequest) => Promise<Response>
  /** Takes one batch; resolves when the consumer is ready for the next. */
  readonly onBatch: (batch: Batch) => Promise<void>
  /** The client gave up: an answer it cannot live with. */
  readonly onViolation: (message: string) => void
}

/** A request the client wants made, cleaned of what is only between the client and us. */
export interface StreamRequest {
  readonly url: URL
  readonly facts: RequestFacts
  readonly signal: AbortSignal | undefined
}

export interface StreamOptions {
  /** Address of the shape, without protocol parameters. */
  readonly url: URL
  readonly place: Place
  /** Makes the address unlike any other stream's for the client's module-level caches; never sent. */
  readonly streamId: string
  readonly owner: StreamOwner
}

/** Where a stream begins. */
export interface Place {
  readonly resume: Checkpoint | null
  /** Set after a refetch: keeps caches between us and the server from answering with the void handle again. */
  readonly bust: CacheBust | null
  /**
   * The last up-to-date was delivered there: the first request is a poll, with the cursor of the one before, by which caches tell polls
   * of one place apart. Null: it has to catch up first.
   */
  readonly poll: { readonly cursor: string | null } | null
}

/** Where another stream can go on instead of this request; null when only this one can. */
export const placeOf = ({ facts, url }: StreamRequest, bust: CacheBust | null): Place | null => {
  const { handle, live, offset } = facts
  if (!live || handle === null) return null
  return { resume: { handle, offset }, bust, poll: { cursor: url.searchParams.get(Param.cursor) } }
}

export interface CacheBust {
  readonly value: string
  readonly expiredHandle: string | null
}

interface Envelope {
  readonly body: DecodedBody
  readonly bytes: number
}

const streamIdParam = "espalier-stream"

export class ClientStream {
  readonly bust: CacheBust | null
  readonly #aborter = new AbortController()
  readonly #owner: StreamOwner
  readonly #envelopes = new Map<string, Envelope>()
  readonly #client: ShapeStream
  /** Where the last up-to-date was delivered while the client still catches up; it is then switched to live polling. */
  #caughtUp: Checkpoint | null = null
  /** The client has been answered, or resumes: from then on asking for the start is a reset nobody ordered. */
  #underWay: boolean
  #nextEnvelope = 1
  #cursor: string | null

  constructor(options: StreamOptions) {
    const { bust, poll, resume } = options.place
    this.bust = bust
    this.#owner = options.owner
    this.#underWay = resume !== null
    this.#caughtUp = poll === null ? null : resume
    this.#cursor = poll?.cursor ?? null
    const url = new URL(options.url)
    url.searchParams.set(streamIdParam, options.streamId)
    this.#client = new ShapeStream({
      url: url.href,
      log: "full",
      signal: this.#aborter.signal,
      fetchClient: (input, init) => this.#fetch(input, init),
      liveRequestTimeoutMs: false,
      warnOnHttp: false,
      runtimeVisibility: alwaysVisible,
      backoffOptions: { initialDelay: 1, maxDelay: 1, multiplier: 1, maxRetries: 0 },
      onError: (error) => {
        if (!this.closed) this.#owner.onViolation(error.message)
      },
      ...(resume === null ? {} : { handle: resume.handle, offset: resume.offset as Offset }),
    })
  }

  /** Starts the client. The first subscription starts its loop and its timers, dropping it stops the timers only. */
  start(): void {
    this.#client.subscribe(() => undefined)
    this.#client.unsubscribeAll()
    this.#client.subscribe((messages) => this.#receive(messages))
  }

  get closed(): boolean {
    return this.#aborter.signal.aborted
  }

  /** Ends the client for good; what it still says is ignored. */
  close(): void {
    this.#aborter.abort()
    this.#envelopes.clear()
    this.#client.unsubscribeAll()
  }

  /** True when the client asks for the start of the log although nobody told it to (fast-loop or stale-cache recovery). */
  isUnorderedReset(facts: RequestFacts): boolean {
    return this.#underWay && facts.offset === OffsetWord.start
  }

  /** Wraps a decoded answer for the client; the messages come back through `onBatch` when the client has consumed it. */
  envelop(body: DecodedBody, bytes: number, headers: Headers, live: boolean): Response {
    this.#underWay = true
    const deliver = contentSize(body) > 0 || body.upToDate
    const id = String(this.#nextEnvelope)
    if (deliver) {
      this.#nextEnvelope += 1
      this.#envelopes.set(id, { body, bytes })
    }
    const messages = deliver ? [{ headers: { control: Control.snapshotEnd, envelope: id } }] : []
    return new Response(JSON.stringify(messages), {
      status: 200,
      headers: clientHeaders(headers, body, live),
    })
  }

  async #fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    const url = new URL(input instanceof Request ? input.url : input)
    url.searchParams.delete(streamIdParam)
    url.searchParams.delete(Param.expiredHandle)
    const facts = requestFacts(url)
    if (this.closed) throw new Error("the stream is closed")
    if (isSamePlace(this.#caughtUp, facts)) return goLive(this.#caughtUp)
    if (this.bust !== null) {
      if (facts.offset === OffsetWord.start) url.searchParams.set(Param.cacheBuster, this.bust.value)
      if (this.bust.expiredHandle !== null) url.searchParams.set(Param.expiredHandle, this.bust.expiredHandle)
    }
    if (facts.live && this.#cursor !== null) {
      if ((url.searchParams.get(Param.cursor) ?? "") === "") url.searchParams.set(Param.cursor, this.#cursor)
      this.#cursor = null
    }
    url.searchParams.sort()
    return await this.#owner.respond(this, { url, facts, signal: init?.signal ?? undefined })
  }

  /** Handle and offset are read first and at once: they are those of this answer only until the next one. */
  #receive(messages: ReadonlyArray<{ readonly headers: object }>): Promise<void> {
    const { lastOffset, shapeHandle } = this.#client
    if (this.closed) return Promise.resolve()
    const id = messages.map(envelopeId).find((found) => found !== null) ?? ""
    const envelope = this.#envelopes.get(id)
    if (envelope === undefined || shapeHandle === undefined) {
      this.#owner.onViolation("the client delivered a batch that nobody sent")
      return Promise.resolve()
    }
    this.#envelopes.delete(id)
    const checkpoint: Checkpoint = { handle: shapeHandle, offset: lastOffset }
    this.#caughtUp = envelope.body.upToDate ? checkpoint : null
    const { lastSeenLsn, upToDate } = envelope.body
    const facts = { _tag: "Batch", checkpoint, upToDate, lastSeenLsn, bytes: envelope.bytes } as const
    return this.#owner.onBatch(withContent(facts, envelope.body))
  }
}

/** The client asks on, not live, from where it already is: only then does it need the switch. */
const isSamePlace = (caughtUp: Checkpoint | null, facts: RequestFacts): caughtUp is Checkpoint =>
  caughtUp !== null && !facts.live && facts.offset === caughtUp.offset && facts.handle === caughtUp.handle

/** The answer of servers of old to an empty poll; the client goes live on it and publishes nothing. */
const goLive = (place: Checkpoint): Response =>
  new Response(null, {
    status: 204,
    headers: {
      [Header.handle]: place.handle,
      [Header.offset]: place.offset,
      [Header.schema]: "{}",
      [Header.upToDate]: "",
    },
  })

/**
 * What the client needs to go on. The schema is emptied, since no value is parsed. A cursor on an answer that is not live would make
 * the client believe it replays a cache (protocol reference §2.2); a missing one on a live answer is left for it to refuse.
 */
const clientHeaders = (headers: Headers, body: DecodedBody, live: boolean): Headers => {
  const copy = new Headers({ [Header.schema]: "{}" })
  const names = live ? [Header.handle, Header.offset, Header.cursor] : [Header.handle, Header.offset]
  for (const name of names) {
    const value = headers.get(name)
    if (value !== null) copy.set(name, value)
  }
  // Stops the prefetch of a chunk that does not exist; the body decides, not the header.
  if (body.upToDate) copy.set(Header.upToDate, "")
  return copy
}

const envelopeId = (message: { readonly headers: object }): string | null =>
  "envelope" in message.headers && typeof message.headers.envelope === "string"
    ? message.headers.envelope
    : null

const alwaysVisible = { getCurrentState: () => "visible" as const, subscribe: () => () => undefined }

/**
 * The last requests of a source, in a ring. Exists so that a panel can draw what was asked when, without a proxy and without
 * the browser's own tools, which do not see into a worker of another tab. Keeps no body, no header and no secret: of the
 * address only parameters known to be harmless. Written by `request.ts`, read through the source's port.
 */
import * as Cause from "effect/Cause"
import type * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { forwardedParams, GatewayParam, Param } from "../../protocol/constants.ts"
import type { RequestEntry, RequestOutcome } from "../../protocol/RequestEntry.ts"
import type { ShapeErrorReason } from "../../protocol/ShapeError.ts"
import type { SlotCut } from "./ConnectionSlots.ts"
import { requestFacts } from "./urls.ts"

const plainParams: ReadonlySet<string> = new Set([
  ...forwardedParams,
  Param.table,
  Param.where,
  Param.columns,
  Param.replica,
  GatewayParam.node,
  GatewayParam.definition,
])
const plainPrefixes = [`${Param.params}[`, GatewayParam.bindingPrefix, GatewayParam.paramPrefix]

const isPlain = (name: string): boolean =>
  plainParams.has(name) || plainPrefixes.some((prefix) => name.startsWith(prefix))

/** The address with what may be shown of it: a parameter nobody knows may be a secret. */
export const shownUrl = (url: URL): string => {
  const query = new URLSearchParams([...url.searchParams].filter(([name]) => isPlain(name)))
  return `${url.origin}${url.pathname}${query.size === 0 ? "" : `?${query}`}`
}

/** How a request ended. */
export interface RequestEnd {
  readonly outcome: Exclude<RequestOutcome, "open">
  readonly at: number
  readonly bytes?: number
  readonly failure?: string
}

/** Notes what becomes of one request; a note about an entry the ring has dropped is dropped, too. */
export interface NotedRequest {
  readonly headers: (status: number, at: number) => void
  readonly end: (end: RequestEnd) => void
}

/** Notes the end of a request from how its effect ended. */
export const noteEnd = (
  noted: NotedRequest,
  exit: Exit.Exit<{ readonly body: Uint8Array }, ShapeErrorReason | SlotCut>,
  at: number,
): void => {
  if (exit._tag === "Success") {
    return noted.end({ outcome: "answered", at, bytes: exit.value.body.byteLength })
  }
  const reason = Option.getOrNull(Cause.findErrorOption(exit.cause))
  if (reason === null) return noted.end({ outcome: "aborted", at })
  if (reason._tag === "SlotCut") return noted.end({ outcome: "cut", at })
  noted.end({ outcome: "failed", at, failure: `${reason._tag}: ${reason.message}` })
}

export class RequestLog {
  readonly #capacity: number
  readonly #ring: Array<RequestEntry> = []
  #next = 0

  constructor(capacity: number) {
    this.#capacity = Math.max(1, capacity)
  }

  /** Writes down a request that is being sent. */
  open(key: string, url: URL, at: number): NotedRequest {
    const id = this.#next++
    const { live, handle } = requestFacts(url)
    this.#ring[id % this.#capacity] = {
      id,
      key,
      phase: live ? "live" : handle === null ? "initial" : "catch-up",
      url: shownUrl(url),
      startedAt: at,
      headersAt: null,
      endedAt: null,
      status: null,
      bytes: 0,
      outcome: "open",
      failure: null,
    }
    const change = (part: Partial<RequestEntry>): void => {
      const own = this.#ring[id % this.#capacity]
      if (own?.id === id) this.#ring[id % this.#capacity] = { ...own, ...part }
    }
    return {
      headers: (status, headersAt) => change({ status, headersAt }),
      end: ({ outcome, at: endedAt, bytes = 0, failure = null }) =>
        change({ outcome, endedAt, bytes, failure }),
    }
  }

  /** Oldest first. */
  entries(): ReadonlyArray<RequestEntry> {
    return [...this.#ring].sort((left, right) => left.id - right.id)
  }
}

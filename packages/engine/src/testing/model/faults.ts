/**
 * What can go wrong between the model server and its clients, as data, so that a run can be generated, shrunk and replayed. A fault
 * is in force for a while and strikes a share of the requests. Pure; applied by the model server.
 */
import {
  Forbidden,
  Network,
  Overloaded,
  ProtocolViolation,
  ShapeRejected,
  type ShapeErrorReason,
  Unauthorised,
} from "../../protocol/ShapeError.ts"

export type Fault =
  /** The answer takes longer. */
  | { readonly kind: "slow"; readonly millis: number }
  /** The connection is refused, or breaks before the server acts. */
  | { readonly kind: "drop" }
  /** The answer breaks off in the middle: the server acted, the client knows nothing. */
  | { readonly kind: "cut" }
  /** Nothing ever comes; the client's watchdog must notice. */
  | { readonly kind: "hang" }
  /** An error status; 403 is a proxy's, without the gateway's revoked code. */
  | {
      readonly kind: "status"
      readonly status: 400 | 401 | 403 | 429 | 500 | 503
      readonly retryAfterMillis?: number
    }
  /** An answer the protocol does not allow. */
  | { readonly kind: "nonsense" }
  /** The server voids the handle. */
  | { readonly kind: "conflict" }
  /** A cache answers with what was true a while ago. */
  | { readonly kind: "stale" }
  /** What was delivered is delivered again, with what follows. */
  | { readonly kind: "repeat" }
  /** The client loses its place and starts again under the same handle. */
  | { readonly kind: "reset" }
  /** Answers hold one message at most. */
  | { readonly kind: "tiny" }

export interface ActiveFault {
  readonly fault: Fault
  /** Share of the requests it strikes, 0 to 1. */
  readonly share: number
  /** Epoch milliseconds. */
  readonly until: number
  /** Strikes requests of this node only. */
  readonly node?: string
}

/** The reason a client fails with; null for faults that are no errors. */
export const reasonOf = (fault: Fault): ShapeErrorReason | null => {
  switch (fault.kind) {
    case "drop":
      return new Network({ message: "connection refused" })
    case "cut":
      return new Network({ message: "the body broke off" })
    case "nonsense":
      return new ProtocolViolation({ message: "the answer is text/html, not JSON" })
    case "status":
      return statusReason(fault)
    default:
      return null
  }
}

const statusReason = (fault: Extract<Fault, { readonly kind: "status" }>): ShapeErrorReason => {
  switch (fault.status) {
    case 400:
      return new ShapeRejected({ status: 400, message: "the server refuses the shape" })
    case 401:
      return new Unauthorised({ message: "token expired" })
    case 403:
      return new Forbidden({ revoked: false, message: "captive portal" })
    default:
      return new Overloaded({
        status: fault.status,
        message: "busy",
        ...(fault.retryAfterMillis === undefined ? {} : { retryAfterMillis: fault.retryAfterMillis }),
      })
  }
}

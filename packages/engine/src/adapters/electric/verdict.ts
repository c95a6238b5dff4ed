/**
 * What a whole answer means for the run that asked: rows to deliver, a log that is void, or a failure with its reason. Exists so that a
 * captive portal, a stale cache or a server that goes back never passes for data. Pure; called by `ShapeRun.ts` only.
 */
import { Header } from "../../protocol/constants.ts"
import { ProtocolViolation, type ShapeErrorReason } from "../../protocol/ShapeError.ts"
import { classifyAnswer } from "./classify.ts"
import type { Answer } from "./request.ts"
import type { RequestFacts } from "./urls.ts"
import { type DecodedBody, isRegression, readBody } from "./wire.ts"

export type Verdict =
  | { readonly _tag: "Good"; readonly body: DecodedBody }
  /** Start again from the beginning; the handle is the one that is void, when there is one. */
  | { readonly _tag: "Refetch"; readonly expiredHandle: string | null }
  | { readonly _tag: "Failed"; readonly reason: ShapeErrorReason }

const violation = (message: string): Verdict => ({
  _tag: "Failed",
  reason: new ProtocolViolation({ message }),
})
const refetch = (expiredHandle: string | null): Verdict => ({ _tag: "Refetch", expiredHandle })

/** `voidHandle` is the one whose log was given up before. */
export const judgeAnswer = (
  answer: Answer,
  facts: RequestFacts,
  voidHandle: string | null,
  nowMillis: number,
): Verdict => {
  if (answer.status === 409) return refetch(facts.handle)
  if (answer.status !== 200 && answer.status !== 204) {
    const retryAfter = answer.headers.get(Header.retryAfter)
    const failed = { status: answer.status, retryAfter, body: new TextDecoder().decode(answer.body) }
    return { _tag: "Failed", reason: classifyAnswer(failed, nowMillis) }
  }
  const problem = headerProblem(answer)
  if (problem !== null) return violation(problem)
  const body = answer.status === 204 ? emptyPoll : readBody(answer.body)
  if (body._tag === "Violation") return violation(body.message)
  const handle = answer.headers.get(Header.handle)
  if (body.mustRefetch || (facts.handle !== null && handle !== facts.handle))
    return refetch(facts.handle ?? handle)
  // Handles are never reused: the void one again means that a cache answered.
  if (handle !== null && handle === voidHandle) return refetch(handle)
  const offset = answer.headers.get(Header.offset) ?? facts.offset
  // The handle itself may be good; a log that goes back is not.
  if (isRegression(facts.offset, offset)) return refetch(null)
  // The client would ask the same again at once, and after five times throw its log away in silence.
  if (!body.upToDate && offset === facts.offset)
    return violation(`the server does not move on from offset ${offset}`)
  return { _tag: "Good", body }
}

const emptyPoll: DecodedBody = {
  _tag: "Body",
  messages: [],
  upToDate: true,
  lastSeenLsn: null,
  mustRefetch: false,
}

/** A captive portal or a proxy that drops headers must not pass for an empty shape. */
const headerProblem = (answer: Answer): string | null => {
  const missing = [Header.handle, Header.offset].filter((name) => (answer.headers.get(name) ?? "") === "")
  if (missing.length > 0) return `the answer lacks ${missing.join(" and ")}`
  const contentType = answer.headers.get("content-type") ?? ""
  return answer.status === 204 || /\bjson\b/i.test(contentType)
    ? null
    : `the answer is ${contentType || "untyped"}, not JSON`
}

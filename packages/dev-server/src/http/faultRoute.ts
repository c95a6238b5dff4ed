/**
 * `/faults`: puts faults in force and ends them while the server runs, for a demo's buttons and for tests of other
 * processes. Behind the same guard as `/sql`; off unless a token is given. Never for production.
 *
 * `GET /faults` → 200 `{faults}` · `POST /faults` with a fault → 201 with its `id` · `DELETE /faults` ends all,
 * `DELETE /faults?id=N` one → 204, or 404.
 */
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { readFault } from "../faults/Fault.ts"
import type { Faults } from "../faults/Faults.ts"
import { answer, refusal, refused } from "./guard.ts"
import type { Query } from "./query.ts"

type Answer = HttpServerResponse.HttpServerResponse

/** A fault is a few words. */
const maxBody = ByteSize.kilobytes(64)

/** Answers a request to `/faults`. */
export const serveFaults = (
  faults: Faults,
  token: string,
  query: Query,
  request: HttpServerRequest.HttpServerRequest,
): Effect.Effect<Answer> => {
  const closed = refusal(request, token, ["GET", "POST", "DELETE"])
  if (closed !== null) return Effect.succeed(closed)
  if (request.method === "GET") return Effect.succeed(answer(200, { faults: faults.list() }))
  if (request.method === "POST") return addFault(faults, request)
  const id = query.get("id")
  if (id === undefined) faults.clear()
  else if (!faults.remove(String(id))) {
    return Effect.succeed(refused(404, "unknown_fault", `No fault has the id ${String(id)}`))
  }
  return Effect.succeed(HttpServerResponse.empty({ status: 204 }))
}

const addFault = Effect.fnUntraced(function* (faults: Faults, request: HttpServerRequest.HttpServerRequest) {
  const body = yield* request.json.pipe(
    Effect.provideService(HttpServerRequest.MaxBodySize, maxBody),
    Effect.catch(() => Effect.succeed(null)),
  )
  const reading = readFault(body)
  return reading.fault === undefined
    ? refused(400, "bad_request", reading.problem)
    : answer(201, faults.add(reading.fault))
})

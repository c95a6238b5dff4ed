/** `GET /api/server`: the list of endpoints that change the server's data. Demo flag only. */
import { HttpProblem } from "../../lib/http/HttpProblem.ts"
import { listing } from "../../lib/endpoints/index.ts"
import { requireDemo, respond } from "../../lib/http/respond.ts"

export default defineEventHandler((event) =>
  respond(event, async () => {
    requireDemo(event)
    if (event.method !== "GET" && event.method !== "HEAD") {
      throw new HttpProblem("method_not_allowed", "Only GET is possible here.", { allow: ["GET"] })
    }
    return { status: 200, body: listing() }
  }),
)

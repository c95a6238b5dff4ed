/** `GET /api/server`: the list of endpoints that change the server's data. Demo flag only. */
import { listing } from "../../lib/endpoints/index.ts"
import { requireDemo, respond } from "../../lib/http/respond.ts"

export default defineEventHandler((event) =>
  respond(event, ["GET"], async () => {
    requireDemo(event)
    return { status: 200, body: listing() }
  }),
)

/** Runs the endpoints of `/api/server/*`, which change the server's data as somebody else would. Demo flag only. */
import { getQuery, getRouterParam } from "h3"
import { demoOf } from "../../lib/DemoServer.ts"
import { findEndpoint } from "../../lib/endpoints/index.ts"
import { readJson, requireDemo, requireUser, respond } from "../../lib/http/respond.ts"

export default defineEventHandler((event) =>
  respond(event, null, async () => {
    requireDemo(event)
    const { endpoint, params } = findEndpoint(event.method, getRouterParam(event, "path") ?? "")
    const { database, shapes } = demoOf(event)
    const answer = await endpoint.handle({
      database,
      me: () => requireUser(event),
      params,
      query: getQuery(event),
      body: event.method === "GET" ? {} : await readJson(event),
    })
    // A membership may be gone: open long polls that may not go on end now, not with their next answer.
    if (event.method !== "GET") await shapes.revoke({})
    return answer
  }),
)

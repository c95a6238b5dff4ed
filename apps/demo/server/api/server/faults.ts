/**
 * `/api/server/faults`: the embedded sync server's own control of faults, for the panel and the tour. The page never sees the
 * token. Where there is no embedded server, or no demo, the route does not exist.
 */
import { getQuery } from "h3"
import { demoOf, offersFaults } from "../../lib/DemoServer.ts"
import { faultsOf } from "../../lib/faults.ts"
import { HttpProblem } from "../../lib/http/HttpProblem.ts"
import { readJson, respond } from "../../lib/http/respond.ts"

export default defineEventHandler((event) =>
  respond(event, ["GET", "POST", "DELETE"], async () => {
    const { settings, shapes } = demoOf(event)
    if (!offersFaults(settings)) throw new HttpProblem("not_found", "There is no such route.")
    const id = getQuery(event)["id"]
    const answer = await faultsOf(settings).ask(
      event.method,
      event.method === "POST" ? await readJson(event) : undefined,
      typeof id === "string" ? id : null,
    )
    // A poll that is open would meet the fault only with its next request.
    if (event.method !== "GET") await shapes.revoke({})
    return answer
  }),
)

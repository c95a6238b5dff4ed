/** Every other path below `/v1`: a 404 in JSON, where Nuxt would answer with the page. */
import { HttpProblem } from "../../lib/http/HttpProblem.ts"
import { respond } from "../../lib/http/respond.ts"

export default defineEventHandler((event) =>
  respond(event, null, async () => {
    throw new HttpProblem("not_found", "There is no such route.")
  }),
)

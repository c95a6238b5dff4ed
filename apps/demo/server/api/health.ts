/** Answers once the server can serve; used by scripts that wait for it. */
import { respond } from "../lib/http/respond.ts"

export default defineEventHandler((event) =>
  respond(event, ["GET"], async () => ({ status: 200, body: { status: "ok" } })),
)

/** Ends the session. Signing out twice is no error. */
import { respond, signOut } from "../lib/http/respond.ts"

export default defineEventHandler((event) =>
  respond(event, ["POST"], async () => {
    signOut(event)
    return { status: 200, body: { userId: null } }
  }),
)

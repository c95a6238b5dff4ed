/**
 * Who is signed in. The signed cookie is enough: with the database stopped the page must still open on its local
 * rows, so a database that does not answer only leaves the name out. A person who is gone is signed out.
 */
import { rowsOf } from "../lib/database/Database.ts"
import { demoOf, offersFaults } from "../lib/DemoServer.ts"
import { HttpProblem } from "../lib/http/HttpProblem.ts"
import { requireUser, respond, signOut } from "../lib/http/respond.ts"

export default defineEventHandler((event) =>
  respond(event, ["GET"], async () => {
    const userId = requireUser(event)
    const { database, settings } = demoOf(event)
    const answer = {
      userId,
      name: null as string | null,
      demo: settings.demo,
      faults: offersFaults(settings),
      database: settings.pgliteName,
    }
    try {
      const [row] = await rowsOf(database, "select name from users where id = $1::uuid", [userId])
      if (row !== undefined) return { status: 200, body: { ...answer, name: row["name"] } }
    } catch (cause) {
      if (!(cause instanceof HttpProblem) || cause.code !== "database_unreachable") throw cause
      return { status: 200, body: answer }
    }
    signOut(event)
    throw new HttpProblem("unauthenticated", "The person who was signed in does not exist any more.")
  }),
)

/** Signs in as a seeded person, without a password. Exists only behind the demo flag. */
import { rowsOf } from "../lib/database/Database.ts"
import { demoOf, offersFaults } from "../lib/DemoServer.ts"
import { notFound } from "../lib/http/HttpProblem.ts"
import { readJson, requireDemo, respond, signIn } from "../lib/http/respond.ts"
import { record, uuid } from "../lib/http/validate.ts"

const read = record({ userId: uuid })

export default defineEventHandler((event) =>
  respond(event, ["POST"], async () => {
    requireDemo(event)
    const { userId } = read(await readJson(event))
    const { database, settings } = demoOf(event)
    const [row] = await rowsOf(
      database,
      "update users set last_login_at = now() where id = $1::uuid returning name",
      [userId],
    )
    if (row === undefined) throw notFound("person", userId)
    signIn(event, userId)
    return {
      status: 200,
      body: {
        userId,
        name: row["name"],
        demo: settings.demo,
        faults: offersFaults(settings),
        database: settings.pgliteName,
      },
    }
  }),
)

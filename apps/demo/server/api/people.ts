/** The people one can sign in as. Exists only behind the demo flag: it hands out everybody's name and e-mail. */
import { demoOf } from "../lib/DemoServer.ts"
import { listPeople } from "../lib/endpoints/members.ts"
import { requireDemo, respond } from "../lib/http/respond.ts"

export default defineEventHandler((event) =>
  respond(event, ["GET"], async () => {
    requireDemo(event)
    return { status: 200, body: { people: await listPeople(demoOf(event).database) } }
  }),
)

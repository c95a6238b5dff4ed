/**
 * Everything a route needs, made once when the server starts and handed to each request: settings, database, session secret. It exists
 * so that no module keeps state of its own. Made by the server plugin; read through `demoOf(event)`.
 */
import type { Gateway } from "@espalier/gateway"
import type { H3Event } from "h3"
import { devServerDatabase } from "./database/devServer.ts"
import { postgresDatabase } from "./database/postgres.ts"
import { prepareDatabase, type DatabaseFiles } from "./database/prepare.ts"
import type { Database } from "./database/Database.ts"
import { sessionSecret } from "./session/secret.ts"
import type { Settings } from "./settings.ts"
import { shapeRoute } from "./shapeRoute.ts"

export interface DemoServer {
  readonly settings: Settings
  readonly database: Database
  readonly secret: string
  /** The gateway: `Request` in, shape out. */
  readonly shapes: Gateway.Gateway
}

declare module "h3" {
  interface H3EventContext {
    demoServer?: DemoServer
  }
}

/** Opens the database (creating schema and seed in an empty Postgres) and makes the gateway. */
export const openDemoServer = async (settings: Settings, files: DatabaseFiles): Promise<DemoServer> => {
  const secret = sessionSecret(settings.sessionSecret, settings.dataDir)
  const database =
    settings.database.kind === "postgres"
      ? postgresDatabase(settings.database.url)
      : devServerDatabase(settings.database.url, settings.database.token)
  if (settings.database.kind === "postgres") {
    // Example people belong to a demo; in production they would be strangers in somebody's tables.
    await prepareDatabase(database, { ...files, seed: settings.demo ? files.seed : null })
  }
  return { settings, database, secret, shapes: shapeRoute({ settings, database, secret }) }
}

/** Whether things may be broken on purpose here: only in a demo on the embedded server. */
export const offersFaults = ({ demo, database }: Settings): boolean => demo && database.kind === "dev-server"

/** The server's parts. @throws Error when the plugin did not run, which is a defect of this app. */
export const demoOf = (event: H3Event): DemoServer => {
  const found = event.context.demoServer
  if (found === undefined) throw new Error("The server plugin did not run before this request.")
  return found
}

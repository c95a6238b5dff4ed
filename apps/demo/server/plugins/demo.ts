/**
 * Opens the demo's server parts once, before the first request is answered, and ends the process with a sentence when it
 * cannot: a server without its database or with a wrong setting must not look healthy.
 */
import { openDemoServer, type DemoServer } from "../lib/DemoServer.ts"
import { readSettings } from "../lib/settings.ts"

const file = async (name: string): Promise<string> => {
  const content = await useStorage("assets:db").getItemRaw<Uint8Array | string>(name)
  if (content === null) throw new Error(`db/${name} is missing from the build.`)
  return typeof content === "string" ? content : new TextDecoder().decode(content)
}

const open = async (): Promise<DemoServer> => {
  const settings = readSettings(process.env, process.argv[1], process.cwd())
  return openDemoServer(settings, { schema: await file("schema.sql"), seed: await file("seed.sql") })
}

export default defineNitroPlugin((nitroApp) => {
  const opening = open()
  opening.catch((cause: unknown) => {
    console.error(`The demo's server cannot start: ${cause instanceof Error ? cause.message : String(cause)}`)
    process.exit(1)
  })
  nitroApp.hooks.hook("request", async (event) => {
    event.context.demoServer = await opening
  })
  nitroApp.hooks.hook("close", async () => {
    const { database, shapes } = await opening
    await shapes.close()
    await database.close()
  })
})

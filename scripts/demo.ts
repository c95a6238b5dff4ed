/**
 * `pnpm demo`: one command from a checkout to a page with live rows. Builds what is needed, starts the sync server as a
 * process of its own, then the page server, and keeps both until Ctrl-C. The page outlives the sync server on purpose:
 * that is the demo of "offline". It must leave no process behind, however it ends.
 */
import { buildAll, builtServer } from "./lib/builds.ts"
import { CommandError, ExitCode, main, readOptions, secondsSince } from "./lib/cli.ts"
import {
  externalServer,
  startPageServer,
  startSyncServer,
  type PageServer,
  type SyncServer,
} from "./lib/demoServers.ts"
import { watchLaunchers } from "./lib/launchers.ts"
import { assertFree, readPort } from "./lib/net.ts"
import { at } from "./lib/paths.ts"

const usage = `Usage: pnpm demo [--port N] [--host H] [--no-build] [--json]

Builds the worker and the demo where needed, starts the embedded sync server and the page, prints "ready http://…".
  --port N     where the page listens (default: PORT, else 3000)
  --host H     address to listen on (default: HOST, else 127.0.0.1)
  --no-build   use the build that is there
  --json       print one JSON line when ready: {ready, url, pid, seconds, sync: {url, pid, args, env}} and nothing else

Environment: PORT, HOST; ELECTRIC_URL with DATABASE_URL (and ELECTRIC_SECRET) to use a real Electric and Postgres instead of
the embedded server; DEMO_DATA_DIR for the embedded server's data (default apps/demo/.data). All are listed in .env.example.

Exit codes: 0 stopped, 1 failed, 2 wrong option or setting, 3 a server does not answer, 4 the port is taken.`

interface Settings {
  readonly port: number
  readonly host: string
  readonly dataFolder: string
  readonly build: boolean
  readonly json: boolean
}

const readSettings = (): Settings => {
  const options = readOptions(usage, {
    port: { type: "string" },
    host: { type: "string" },
    "no-build": { type: "boolean" },
    json: { type: "boolean" },
  })
  const fromEnv = process.env["PORT"] ?? ""
  const port =
    options.port === undefined
      ? readPort("PORT", fromEnv === "" ? "3000" : fromEnv)
      : readPort("--port", options.port)
  return {
    port,
    host: options.host ?? (process.env["HOST"] || "127.0.0.1"),
    dataFolder: process.env["DEMO_DATA_DIR"] || at("apps/demo/.data"),
    build: options["no-build"] !== true,
    json: options.json === true,
  }
}

/** Everything this process started, stopped in reverse order, once. */
const makeStopper = () => {
  const stops: Array<() => Promise<void>> = []
  let stopping: Promise<void> | null = null
  return {
    add: (stop: () => Promise<void>): void => void stops.unshift(stop),
    get isStopping(): boolean {
      return stopping !== null
    },
    stop: (): Promise<void> => {
      stopping ??= (async () => {
        for (const stop of stops) await stop()
      })()
      return stopping
    },
  }
}

type Stopper = ReturnType<typeof makeStopper>

/** Settles with the exit code when a signal asks for the end, or when whoever launched us is gone. */
const endOfRun = (): Promise<number> =>
  new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => resolve(0))
    watchLaunchers(() => resolve(0))
  })

const startServers = async (
  settings: Settings,
  external: SyncServer | null,
  stopper: Stopper,
  say: (line: string) => void,
): Promise<{ readonly sync: SyncServer; readonly page: PageServer }> => {
  const start = performance.now()
  const sync = external ?? (await startSyncServer(settings.dataFolder))
  if (sync.child !== null) stopper.add(() => sync.child!.stop())
  say(`sync server ${sync.url} (${external === null ? "embedded" : "external"}, ${secondsSince(start)} s)`)
  if (stopper.isStopping) throw new CommandError("stopped while starting")
  const pageStart = performance.now()
  const page = await startPageServer(builtServer(), settings, sync)
  stopper.add(() => page.child.stop())
  say(`page server ${page.url} (${secondsSince(pageStart)} s)`)
  return { sync, page }
}

const announce = (settings: Settings, sync: SyncServer, page: PageServer, seconds: number): void => {
  if (!settings.json) {
    console.log(`started in ${seconds} s; stop with Ctrl-C`)
    console.log(`ready ${page.url}`)
    return
  }
  const { url, args, env } = sync
  const syncJson = { url, pid: sync.child?.pid ?? null, args, env }
  console.log(JSON.stringify({ ready: true, url: page.url, pid: page.child.pid, seconds, sync: syncJson }))
}

main(async () => {
  const settings = readSettings()
  const start = performance.now()
  const say = (line: string): void => {
    if (!settings.json) console.log(line)
  }
  await assertFree(settings.port, settings.host)
  const stopper = makeStopper()
  const end = endOfRun()
  const run = async (): Promise<number> => {
    // Before the build: a server that cannot be reached should be known at once.
    const external = await externalServer()
    if (settings.build) {
      const built = await buildAll({ onStart: (name) => say(`building the ${name} …`) })
      say(built.map(({ name, state, seconds }) => `${name} ${state} (${seconds} s)`).join(", "))
    }
    builtServer()
    const { sync, page } = await startServers(settings, external, stopper, say)
    announce(settings, sync, page, secondsSince(start))
    void sync.child?.exited.then(({ code, signal }) => {
      if (stopper.isStopping) return
      const how = signal === null ? `exit code ${code}` : signal
      console.error(
        `The sync server has stopped (${how}). The page stays up: rows already in the browser stay readable.`,
      )
    })
    const { code } = await page.child.exited
    if (stopper.isStopping) return 0
    console.error(`The page server has stopped (exit code ${code}).`)
    return ExitCode.failed
  }
  let code: number
  try {
    code = await Promise.race([end, run()])
  } finally {
    await stopper.stop()
  }
  process.exit(code)
})

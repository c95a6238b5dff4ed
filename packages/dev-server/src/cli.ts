#!/usr/bin/env node
/** The `dev-server` command. Only starts `cli/main.ts`; the exit code is 0 after a stop, 1 after a failed start, 2 for bad options. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import { help, readFlags } from "./cli/flags.ts"
import { forgetShapes, run } from "./cli/main.ts"

const notice =
  "This is Espalier's development server. It is for development and tests only; never use it in production.\n"

const start = async (): Promise<number> => {
  const reading = readFlags(process.argv.slice(2), process.env)
  if (reading.flags === undefined) {
    process.stderr.write(`dev-server: ${reading.problem}\n`)
    return 2
  }
  if (reading.flags.isHelp) {
    process.stdout.write(help)
    return 0
  }
  process.stderr.write(notice)
  const { flags } = reading
  const logger = flags.isJson ? Logger.formatJson : Logger.formatLogFmt
  const toStderr = Logger.make((options) => {
    process.stderr.write(`${logger.log(options)}\n`)
  })
  let isFailed = false
  const serve = run(flags, (line) => process.stdout.write(`${line}\n`)).pipe(Effect.andThen(Effect.never))
  const work =
    flags.forget !== null && flags.databaseUrl !== null
      ? forgetShapes(flags.databaseUrl, flags.forget)
      : serve
  const program = work.pipe(
    Effect.scoped,
    Effect.catch((error) =>
      Effect.sync(() => {
        isFailed = true
        process.stderr.write(`dev-server: ${error.message}\n`)
      }),
    ),
    Effect.provide(Logger.layer([toStderr])),
  )
  const fiber = Effect.runFork(program)
  const stop = (): void => fiber.interruptUnsafe()
  process.once("SIGINT", stop)
  process.once("SIGTERM", stop)
  await Effect.runPromise(Fiber.await(fiber))
  return isFailed ? 1 : 0
}

process.exit(await start())

/** One run of the `dev-server` command: from its flags to its exit code, with signals, the notice and the log between. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import type { Assets } from "./assets.ts"
import type { Flags } from "./flags.ts"
import { forgetShapes, run } from "./main.ts"

const notice =
  "This is Espalier's development server. It is for development and tests only; never use it in production.\n"

/** Serves until a signal comes. Answers the exit code: 0 after a stop, 1 after a failed start. */
export const start = async (flags: Flags, assets: Promise<Assets> | null): Promise<number> => {
  process.stderr.write(notice)
  const logger = flags.isJson ? Logger.formatJson : Logger.formatLogFmt
  const toStderr = Logger.make((options) => {
    process.stderr.write(`${logger.log(options)}\n`)
  })
  let isFailed = false
  const serve = run(flags, assets, (line) => process.stdout.write(`${line}\n`)).pipe(
    Effect.andThen(Effect.never),
  )
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

/** Ports and reachability, asked of the system: is this port free, which one is, does somebody answer. */
import { connect, createServer } from "node:net"
import { setTimeout as delay } from "node:timers/promises"
import { CommandError, ExitCode } from "./cli.ts"

const listenOnce = (port: number, host: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen(port, host, () => {
      const address = server.address()
      const chosen = typeof address === "object" && address !== null ? address.port : port
      server.close(() => resolve(chosen))
    })
  })

/** A port nobody listens on now. */
export const freePort = (): Promise<number> => listenOnce(0, "127.0.0.1")

/** @throws CommandError that says why nobody can listen there. */
export const assertFree = async (port: number, host: string): Promise<void> => {
  try {
    await listenOnce(port, host)
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined
    const reasons: Readonly<Record<string, string>> = {
      EADDRINUSE: `port ${port} on ${host} is taken by another program; choose another, e.g. PORT=${port + 1}`,
      EACCES: `port ${port} needs more rights than this account has; choose one above 1023`,
      EADDRNOTAVAIL: `${host} is not an address of this machine`,
      ENOTFOUND: `${host} is not an address of this machine`,
    }
    const reason = reasons[String(code)] ?? `cannot listen on ${host}:${port} (${String(cause)})`
    throw new CommandError(reason, code === "EADDRINUSE" ? ExitCode.portTaken : ExitCode.usage)
  }
}

/** A port number from text. @throws CommandError when it is none. */
export const readPort = (name: string, text: string): number => {
  const port = Number(text)
  if (/^\d+$/.test(text) && port >= 1 && port <= 65_535) return port
  throw new CommandError(`${name} must be a port number from 1 to 65535, not "${text}"`, ExitCode.usage)
}

export interface Waiting {
  readonly withinMillis: number
  /** Ends the wait early with false, e.g. when the process that should answer has died. */
  readonly giveUp?: () => boolean
}

/** True once `test` says so; asked again every 50 ms. False when time is up. */
export const eventually = async (test: () => Promise<boolean>, waiting: Waiting): Promise<boolean> => {
  const deadline = performance.now() + waiting.withinMillis
  for (;;) {
    if (await test()) return true
    if (performance.now() >= deadline || waiting.giveUp?.() === true) return false
    await delay(50)
  }
}

/** True when the URL answers with 2xx. */
export const answers = async (url: string): Promise<boolean> => {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) })
    await response.body?.cancel()
    return response.ok
  } catch {
    return false
  }
}

/** True when something accepts a TCP connection. */
export const accepts = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 2_000 })
    const settle = (reachable: boolean): void => {
      socket.destroy()
      resolve(reachable)
    }
    socket.once("connect", () => settle(true))
    socket.once("error", () => settle(false))
    socket.once("timeout", () => settle(false))
  })

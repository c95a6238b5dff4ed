/**
 * One origin for browser tests: an empty page with the page half, the worker bundle, and a way through to a
 * shape server that notes which worker asked (by the `tab` in the worker's address, which browsers send as
 * referrer) and can be cut off. Every answer carries a strict content security policy, so that the tests also
 * show that no `eval` runs.
 */
import { createReadStream, existsSync } from "node:fs"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { extname, join } from "node:path"
import { Readable } from "node:stream"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"

const policy =
  "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self' data: blob:; object-src 'none'"

const types: Readonly<Record<string, string>> = {
  ".js": "text/javascript",
  ".map": "application/json",
  ".wasm": "application/wasm",
  ".data": "application/octet-stream",
}

/** One request for a shape, as the server saw it. */
export interface ShapeRequest {
  /** The worker that made it. */
  readonly tab: string
  /** What tells shapes apart: every parameter but those that say how far. */
  readonly shape: string
  readonly offset: string
  handle: string | null
  bytes: number
  /** The answer was sent whole. */
  whole: boolean
}

export interface SiteServer {
  readonly url: string
  /** Every request for a shape since they were last forgotten, oldest first. */
  readonly log: ReadonlyArray<ShapeRequest>
  /** Moments at which two workers had requests open: never, if one engine runs. */
  readonly overlaps: ReadonlyArray<string>
  /** Requests for shapes, by the worker that made them. */
  readonly shapeRequests: ReadonlyMap<string, number>
  /** Forgets the counts. */
  readonly forgetRequests: () => void
  /** False: shape requests are answered with 503. */
  readonly setShapesUp: (up: boolean) => void
  readonly close: () => Promise<void>
}

const pageScript = async (): Promise<string> => {
  const result = await build({
    entryPoints: [fileURLToPath(new URL("./page.ts", import.meta.url))],
    bundle: true,
    format: "esm",
    platform: "browser",
    write: false,
    logLevel: "silent",
  })
  return result.outputFiles[0]?.text ?? ""
}

const askedBy = (request: IncomingMessage): string => {
  const referrer = request.headers.referer
  return (referrer === undefined ? null : new URL(referrer).searchParams.get("tab")) ?? "nobody"
}

const progress = new Set(["offset", "handle", "live", "cursor", "live_sse", "expired_handle", "log"])

const noteRequest = (tab: string, search: string): ShapeRequest => {
  const params = [...new URLSearchParams(search)]
  const value = (name: string): string | null => params.find(([own]) => own === name)?.[1] ?? null
  return {
    tab,
    shape: JSON.stringify(params.filter(([name]) => !progress.has(name)).sort()),
    offset: value("offset") ?? "",
    handle: value("handle"),
    bytes: 0,
    whole: false,
  }
}

const forward = async (response: ServerResponse, target: string, noted: ShapeRequest): Promise<void> => {
  const abort = new AbortController()
  response.on("close", () => abort.abort())
  const answer = await fetch(target, { signal: abort.signal })
  const headers = Object.fromEntries(
    [...answer.headers].filter(
      ([name]) => !["content-encoding", "content-length", "transfer-encoding", "connection"].includes(name),
    ),
  )
  noted.handle = answer.headers.get("electric-handle") ?? noted.handle
  response.writeHead(answer.status, headers)
  response.on("finish", () => (noted.whole = answer.status === 200))
  if (answer.body === null) response.end()
  else
    Readable.fromWeb(answer.body as never)
      .on("error", () => response.destroy())
      .on("data", (chunk: Uint8Array) => (noted.bytes += chunk.byteLength))
      .pipe(response)
}

/** Serves on a port of the range given to these tests; 0 picks a free one. */
export const startSite = async (options: {
  readonly bundleDir: string
  readonly shapesUrl: string
  readonly port?: number
}): Promise<SiteServer> => {
  const script = await pageScript()
  const shapeRequests = new Map<string, number>()
  const log: Array<ShapeRequest> = []
  const overlaps: Array<string> = []
  const open = new Map<string, number>()
  let isUp = true
  /** Counts the request as open until its connection is done with it. */
  const watchOpen = (tab: string, response: ServerResponse): void => {
    const others = [...open].filter(([other, count]) => other !== tab && count > 0).map(([other]) => other)
    if (others.length > 0) overlaps.push(`${tab} asked while ${others.join(", ")} had requests open`)
    open.set(tab, (open.get(tab) ?? 0) + 1)
    response.once("close", () => open.set(tab, (open.get(tab) ?? 1) - 1))
  }
  const server = createServer((request, response) => {
    const { pathname, search } = new URL(request.url ?? "/", "http://site")
    response.setHeader("content-security-policy", policy)
    if (pathname === "/v1/shape") {
      const tab = askedBy(request)
      shapeRequests.set(tab, (shapeRequests.get(tab) ?? 0) + 1)
      watchOpen(tab, response)
      if (!isUp) return void response.writeHead(503).end()
      const noted = noteRequest(tab, search)
      log.push(noted)
      forward(response, options.shapesUrl + search, noted).catch(() => response.destroy())
      return
    }
    if (pathname === "/page.js")
      return void response.writeHead(200, { "content-type": "text/javascript" }).end(script)
    if (pathname.startsWith("/workers/")) {
      const file = join(options.bundleDir, pathname.slice("/workers/".length))
      if (!existsSync(file)) return void response.writeHead(404).end()
      response.writeHead(200, { "content-type": types[extname(file)] ?? "application/octet-stream" })
      return void createReadStream(file).pipe(response)
    }
    // Like a single-page app: every other address answers with the page.
    response.writeHead(200, { "content-type": "text/html" })
    response.end('<!doctype html><title>test page</title><script type="module" src="/page.js"></script>')
  })
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, "127.0.0.1", resolve))
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    shapeRequests,
    log,
    overlaps,
    forgetRequests: () => {
      shapeRequests.clear()
      log.length = 0
      overlaps.length = 0
    },
    setShapesUp: (up) => {
      isUp = up
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

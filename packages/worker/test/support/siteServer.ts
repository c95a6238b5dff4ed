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

export interface SiteServer {
  readonly url: string
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

const forward = async (request: IncomingMessage, response: ServerResponse, target: string): Promise<void> => {
  const abort = new AbortController()
  response.on("close", () => abort.abort())
  const answer = await fetch(target, { signal: abort.signal })
  const headers = Object.fromEntries(
    [...answer.headers].filter(
      ([name]) => !["content-encoding", "content-length", "transfer-encoding", "connection"].includes(name),
    ),
  )
  response.writeHead(answer.status, headers)
  if (answer.body === null) response.end()
  else
    Readable.fromWeb(answer.body as never)
      .on("error", () => response.destroy())
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
  let isUp = true
  const server = createServer((request, response) => {
    const { pathname, search } = new URL(request.url ?? "/", "http://site")
    response.setHeader("content-security-policy", policy)
    if (pathname === "/v1/shape") {
      const tab = askedBy(request)
      shapeRequests.set(tab, (shapeRequests.get(tab) ?? 0) + 1)
      if (!isUp) return void response.writeHead(503).end()
      forward(request, response, options.shapesUrl + search).catch(() => response.destroy())
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
    forgetRequests: () => shapeRequests.clear(),
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

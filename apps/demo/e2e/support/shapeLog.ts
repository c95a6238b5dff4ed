/**
 * A reverse proxy between browser and page server that writes down every shape request: what was asked, what came back,
 * how many rows and bytes. The tests count downloads with it, because the browser's own figures stop at the cache.
 */
import { createServer, request as httpRequest, type IncomingMessage } from "node:http"

export interface ShapeRequest {
  readonly node: string
  readonly offset: string
  readonly isLive: boolean
  /** 0 when the page server could not be reached. */
  readonly status: number
  readonly bytes: number
  /** Change messages in the answer. */
  readonly rows: number
}

export interface ShapeLog {
  readonly url: string
  /** Answered requests since the last `clear`, in order of their end. */
  readonly answered: ReadonlyArray<ShapeRequest>
  /** Requests that are open now. */
  readonly open: () => number
  readonly clear: () => void
  readonly close: () => Promise<void>
}

const rowsIn = (body: string): number => {
  try {
    const messages: unknown = JSON.parse(body)
    return Array.isArray(messages)
      ? messages.filter(
          (message: unknown) => typeof message === "object" && message !== null && "key" in message,
        ).length
      : 0
  } catch {
    // Not JSON: an error page or a cut answer has no rows.
    return 0
  }
}

export const startShapeLog = async (target: string): Promise<ShapeLog> => {
  const answered: Array<ShapeRequest> = []
  let open = 0
  const note = (url: URL, answer: IncomingMessage | null, body: Buffer): void => {
    answered.push({
      node: url.searchParams.get("node") ?? "",
      offset: url.searchParams.get("offset") ?? "",
      isLive: url.searchParams.has("live"),
      status: answer?.statusCode ?? 0,
      bytes: body.byteLength,
      rows: rowsIn(body.toString()),
    })
  }
  const server = createServer((incoming, outgoing) => {
    const url = new URL(incoming.url ?? "/", target)
    const isShape = url.pathname === "/v1/shape"
    if (isShape) open += 1
    let isClosed = false
    const close = (answer: IncomingMessage | null, body: Buffer): void => {
      if (isShape && !isClosed) {
        open -= 1
        note(url, answer, body)
      }
      isClosed = true
    }
    // Shapes are read here, so they must come as they are.
    const headers = { ...incoming.headers, ...(isShape ? { "accept-encoding": "identity" } : {}) }
    const upstream = httpRequest(url, { method: incoming.method, headers }, (answer) => {
      const chunks: Array<Buffer> = []
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      if (isShape) answer.on("data", (chunk: Buffer) => chunks.push(chunk))
      answer.once("close", () => close(answer, Buffer.concat(chunks)))
      answer.pipe(outgoing)
    })
    upstream.once("error", () => {
      close(null, Buffer.alloc(0))
      outgoing.destroy()
    })
    outgoing.once("close", () => {
      if (!outgoing.writableFinished) upstream.destroy()
    })
    incoming.pipe(upstream)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return {
    url: `http://localhost:${port}`,
    answered,
    open: () => open,
    clear: () => void answered.splice(0),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

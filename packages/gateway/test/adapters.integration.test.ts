/** The same gateway on Node's server, in h3's shape and in Effect's server: one suite over real sockets. */
import { createServer, request as httpRequest, type IncomingMessage, type Server } from "node:http"
import { once } from "node:events"
import { connect } from "node:net"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { describe, expect, it } from "vitest"
import { layerGateway } from "../src/adapters/effect.ts"
import { h3Handler } from "../src/adapters/h3.ts"
import { nodeHandler } from "../src/adapters/node.ts"
import { signal } from "./support/upstream.ts"

type Fake = (request: Request) => Promise<Response>

interface Mounted extends AsyncDisposable {
  readonly port: number
}

const close = async (server: Server): Promise<void> => {
  server.closeAllConnections()
  server.close()
  await once(server, "close")
}

const listen = async (server: Server): Promise<Mounted> => {
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("no port")
  return { port: address.port, [Symbol.asyncDispose]: () => close(server) }
}

const onNode = (gateway: Fake): Promise<Mounted> => {
  const handler = nodeHandler(gateway)
  return listen(createServer((request, response) => void handler(request, response)))
}

const onH3 = (gateway: Fake): Promise<Mounted> => {
  const handler = h3Handler(gateway)
  return listen(createServer((req, res) => void handler({ node: { req, res } })))
}

const onEffect = async (gateway: Fake): Promise<Mounted> => {
  const whole = Object.assign(gateway, {
    revoke: () => Promise.resolve(0),
    health: () => Promise.resolve(new Response()),
    metrics: () => "",
    open: () => 0,
    close: () => Promise.resolve(),
  })
  const served = HttpRouter.serve(layerGateway(whole, "/v1/shape"), {
    disableListenLog: true,
    disableLogger: true,
  }).pipe(Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })))
  const runtime = ManagedRuntime.make(served)
  const address = await runtime.runPromise(Effect.map(HttpServer.HttpServer, (server) => server.address))
  if (address._tag !== "InetAddressV4") throw new Error("no port")
  return { port: address.port, [Symbol.asyncDispose]: () => runtime.dispose() }
}

const get = async (port: number, path: string): Promise<IncomingMessage> => {
  const asked = httpRequest({ port, host: "127.0.0.1", path, headers: { "x-a": "1" } })
  asked.end()
  const [answer] = (await once(asked, "response")) as [IncomingMessage]
  return answer
}

const textOf = async (message: IncomingMessage): Promise<string> => {
  let text = ""
  for await (const chunk of message) text += String(chunk)
  return text
}

describe.each([
  ["Node's server", onNode],
  ["h3", onH3],
  ["Effect's server", onEffect],
] as const)("a gateway on %s", (_name, mount) => {
  it("gets the query and headers as they were sent, and answers with status, headers and body", async () => {
    const seen: Array<readonly [string, string, string | null]> = []
    await using server = await mount(async (request) => {
      const { pathname, search } = new URL(request.url)
      seen.push([request.method, `${pathname}${search}`, request.headers.get("x-a")])
      return new Response("[]", { status: 409, headers: { "electric-handle": "1-2" } })
    })
    const answer = await get(server.port, "/v1/shape?node=a&b.x=%2F%00&node=b")
    expect([answer.statusCode, answer.headers["electric-handle"], await textOf(answer)]).toEqual([
      409,
      "1-2",
      "[]",
    ])
    expect(seen).toEqual([["GET", "/v1/shape?node=a&b.x=%2F%00&node=b", "1"]])
  })

  it("sends each part of an answer when it comes", async () => {
    const more = signal()
    await using server = await mount(async () => {
      const body = new ReadableStream<Uint8Array>({
        async start(controller) {
          controller.enqueue(new TextEncoder().encode("one"))
          await more.done
          controller.enqueue(new TextEncoder().encode("two"))
          controller.close()
        },
      })
      return new Response(body)
    })
    const answer = await get(server.port, "/v1/shape")
    const [first] = (await once(answer, "data")) as [Buffer]
    expect(first.toString()).toBe("one")
    more.fire()
    expect(await textOf(answer)).toBe("two")
  })

  it("aborts what it asked for when the client leaves before the answer", async () => {
    const [came, gone] = [signal(), signal()]
    await using server = await mount(async (request) => {
      request.signal.addEventListener("abort", gone.fire)
      came.fire()
      await gone.done
      return new Response(null, { status: 502 })
    })
    const socket = connect(server.port, "127.0.0.1")
    socket.write("GET /v1/shape HTTP/1.1\r\nhost: a\r\n\r\n")
    await came.done
    socket.destroy()
    await gone.done
  })

  it("lets go of the body when the client leaves while it streams", async () => {
    const gone = signal()
    await using server = await mount(async () => {
      const body = new ReadableStream<Uint8Array>({
        start: (controller) => controller.enqueue(new TextEncoder().encode("one")),
        cancel: gone.fire,
      })
      return new Response(body)
    })
    const answer = await get(server.port, "/v1/shape")
    await once(answer, "data")
    answer.destroy()
    await gone.done
  })

  it("breaks the connection when the body breaks, so that no short answer looks whole", async () => {
    const fail = signal()
    await using server = await mount(async () => {
      const body = new ReadableStream<Uint8Array>({
        async start(controller) {
          controller.enqueue(new TextEncoder().encode("one"))
          await fail.done
          controller.error(new Error("broken"))
        },
      })
      return new Response(body)
    })
    const answer = await get(server.port, "/v1/shape")
    await once(answer, "data")
    fail.fire()
    await expect(textOf(answer)).rejects.toBeDefined()
  })
})

describe("Node's server", () => {
  it("keeps the request on its own origin whatever the request line names", async () => {
    const seen: Array<string> = []
    await using server = await onNode(async (request) => {
      seen.push(request.url)
      return new Response(null, { status: 204 })
    })
    const answer = await get(server.port, "http://evil.test/v1/shape?node=a")
    expect(answer.statusCode).toBe(204)
    answer.resume()
    expect(seen).toEqual(["http://localhost/v1/shape?node=a"])
  })

  it("answers 400 to what the web's standards cannot say", async () => {
    await using server = await onNode(async () => new Response("never"))
    const asked = httpRequest({ port: server.port, host: "127.0.0.1", method: "TRACE", path: "/" })
    asked.end()
    const [answer] = (await once(asked, "response")) as [IncomingMessage]
    expect(answer.statusCode).toBe(400)
    expect(await textOf(answer)).toContain("bad_request")
  })
})

describe("h3 2", () => {
  it("is answered with a web-standard response", async () => {
    const handler = h3Handler(async (request) => new Response(request.url))
    const answer = await handler({ req: new Request("http://a.test/v1/shape") })
    expect(await answer?.text()).toBe("http://a.test/v1/shape")
  })
})

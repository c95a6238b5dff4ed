/** A real HTTP server in Electric's place, answered by the test. */
import { once } from "node:events"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"

export interface Upstream extends AsyncDisposable {
  readonly url: string
  readonly requests: ReadonlyArray<IncomingMessage>
}

export const upstream = async (
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Upstream> => {
  const requests: Array<IncomingMessage> = []
  const server = createServer((request, response) => {
    requests.push(request)
    answer(request, response)
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("no port")
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, "close")
    },
  }
}

/** A promise and its resolver, for waiting on what the other side does. */
export const signal = (): { readonly done: Promise<void>; readonly fire: () => void } => {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { done: promise, fire: () => resolve() }
}

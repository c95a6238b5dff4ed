/** The gateway on Node's server, with health, metrics and an orderly stop. */
import { createServer, type Server } from "node:http"
import { type Gateway, metricsContentType } from "@espalier/gateway"
import { nodeHandler } from "@espalier/gateway/node"

// #region serve
export const serve = (gateway: Gateway.Gateway): Server => {
  const shapes = nodeHandler(gateway)
  const health = nodeHandler(() => gateway.health())
  const metrics = nodeHandler(async () => {
    return new Response(gateway.metrics(), { headers: { "content-type": metricsContentType } })
  })
  return createServer((request, response) => {
    if (request.url === "/health") void health(request, response)
    // Behind the load balancer only: what it says is for the operator.
    else if (request.url === "/metrics") void metrics(request, response)
    else void shapes(request, response)
  })
}
// #endregion

// #region stop
/** Long polls are answered with 503 and `Retry-After`, streaming answers finish, then the server closes. */
export const stop = async (server: Server, gateway: Gateway.Gateway): Promise<void> => {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  await gateway.close()
  server.closeIdleConnections()
  await closed
}
// #endregion

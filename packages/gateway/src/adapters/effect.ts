/**
 * Mounts a gateway in Effect's HTTP server: a handler for `HttpRouter`, and a layer that serves one path and drains the gateway when
 * the server's scope closes.
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import type { Gateway } from "../handler.ts"

/** Answers the current request. Interrupting it (the client left) aborts the request to the shape server. */
export const effectHandler = (gateway: Gateway) =>
  Effect.fn("Gateway.handle")(function* (request: HttpServerRequest.HttpServerRequest) {
    const asked = yield* HttpServerRequest.toWeb(request)
    const answer = yield* Effect.promise((signal) =>
      gateway(new Request(asked.url, { method: asked.method, headers: asked.headers, signal })),
    )
    return HttpServerResponse.fromWeb(answer)
  })

/** Serves `path` (every method: the gateway itself refuses what it does not answer) until the scope closes. */
export const layerGateway = (gateway: Gateway, path: HttpRouter.PathInput) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const router = yield* HttpRouter.HttpRouter
      yield* router.add("*", path, effectHandler(gateway))
      yield* Effect.addFinalizer(() => Effect.promise(() => gateway.close()))
    }),
  )

/** Whether the gateway can serve: asks the shape server for its own health. For load balancers and `docker compose`; called by `gateway.health`. */
import { privateCacheControl } from "./forward.ts"
import { Wire } from "@espalier/engine/protocol"

/** How long the shape server may take to say that it is well, in milliseconds. */
export const healthTimeoutMillis = 5_000

/** What the answer is made of. */
export interface HealthContext {
  readonly base: URL
  readonly fetch: typeof globalThis.fetch
  readonly open: number
  readonly closing: boolean
}

const upstreamStatus = async ({ base, fetch }: HealthContext): Promise<string> => {
  const url = new URL(base)
  url.pathname = url.pathname.replace(/\/shape$/, "/health")
  url.search = ""
  try {
    const answer = await fetch(url, {
      redirect: "manual",
      signal: AbortSignal.timeout(healthTimeoutMillis),
    })
    await answer.body?.cancel()
    return answer.ok ? "active" : `status ${answer.status}`
  } catch {
    return "unreachable"
  }
}

/** 200 with `{status: "ok"}`, or 503 with what is wrong. Never the shape server's address. */
export const healthOf = async (context: HealthContext): Promise<Response> => {
  const upstream = context.closing ? "not asked" : await upstreamStatus(context)
  const status = context.closing ? "closing" : upstream === "active" ? "ok" : "degraded"
  return Response.json(
    { status, upstream, open: context.open },
    {
      status: status === "ok" ? 200 : 503,
      headers: { [Wire.Header.cacheControl]: privateCacheControl },
    },
  )
}

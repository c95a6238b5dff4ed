/**
 * Asks the embedded sync server to break something, or to mend it: its `/faults` route, with the token that only this server
 * knows. Used by one route; never reachable without the demo flag.
 */
import type { Settings } from "./settings.ts"
import { HttpProblem } from "./http/HttpProblem.ts"

/** Longest wait for the sync server, in milliseconds. */
const timeoutMillis = 5_000

export interface FaultsRoute {
  readonly ask: (
    method: string,
    body: unknown,
    id: string | null,
  ) => Promise<{ readonly status: number; readonly body: unknown }>
}

const messageOf = (body: unknown): string =>
  typeof body === "object" && body !== null && "message" in body ? String(body.message) : "It gave no reason."

export const faultsOf = ({ database }: Settings, fetch = globalThis.fetch): FaultsRoute => ({
  ask: async (method, body, id) => {
    if (database.kind !== "dev-server") throw new HttpProblem("not_found", "There is no such route.")
    const target = new URL("/faults", database.url)
    if (id !== null) target.searchParams.set("id", id)
    let response: Response
    try {
      response = await fetch(target, {
        method,
        headers: { "content-type": "application/json", "x-espalier-dev": database.token },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(timeoutMillis),
      })
    } catch (cause) {
      throw new HttpProblem("database_unreachable", "The sync server does not answer.", { cause })
    }
    if (response.status === 204) return { status: 200, body: {} }
    const answer: unknown = await response.json().catch(() => null)
    if (response.status === 400) throw new HttpProblem("bad_request", messageOf(answer))
    if (response.status === 404) throw new HttpProblem("not_found", messageOf(answer))
    if (!response.ok) throw new HttpProblem("database_refused", "The sync server refused to break anything.")
    return { status: response.status, body: answer }
  },
})

/**
 * Breaking things on purpose: the control of a development server's faults, as the panel's buttons use it. The page may not
 * hold the server's token in production; an app that offers faults at all puts a route of its own in front of it.
 */

/** One fault, as the development server takes it. What is left out is left to its defaults. */
export interface FaultRequest {
  readonly kind: "latency" | "drop" | "reset" | "status" | "stale"
  readonly millis?: number
  readonly status?: 409 | 429 | 503
  readonly retryAfter?: number
  readonly table?: string
  readonly times?: number
}

/** A fault in force. */
export interface FaultInForce extends Omit<FaultRequest, "table" | "times"> {
  readonly id: string
  readonly table?: string | null
  readonly times?: number | null
  readonly happened: number
}

export interface FaultControl {
  readonly list: () => Promise<ReadonlyArray<FaultInForce>>
  readonly add: (fault: FaultRequest) => Promise<void>
  readonly remove: (id: string) => Promise<void>
  readonly clear: () => Promise<void>
}

/** A fault that a person may pick by its name. */
export interface FaultPreset {
  readonly name: string
  readonly what: string
  readonly fault: FaultRequest
}

export const faultPresets: ReadonlyArray<FaultPreset> = [
  { name: "Cut the line", what: "Every connection is dropped without an answer.", fault: { kind: "drop" } },
  { name: "Slow", what: "Every answer comes 2 s later.", fault: { kind: "latency", millis: 2_000 } },
  {
    name: "Overloaded",
    what: "503 with Retry-After 3, five times.",
    fault: { kind: "status", status: 503, retryAfter: 3, times: 5 },
  },
  {
    name: "Void a handle",
    what: "One 409: the next shape asked for is fetched anew.",
    fault: { kind: "status", status: 409, times: 1 },
  },
  {
    name: "Half an answer",
    what: "Three bodies are cut in the middle.",
    fault: { kind: "reset", times: 3 },
  },
  { name: "Stale cache", what: "The first answer is given again and again.", fault: { kind: "stale" } },
]

export interface HttpFaultsOptions {
  /** The `/faults` route, or the app's own in front of it. */
  readonly url: string
  /** The development server's token; left out where the app's route adds it. */
  readonly token?: string
  /** Default: the page's. */
  readonly fetch?: typeof globalThis.fetch
}

const problemOf = async (response: Response): Promise<string> => {
  const text = await response.text()
  try {
    const body: unknown = JSON.parse(text)
    if (typeof body === "object" && body !== null && "message" in body) return String(body.message)
  } catch {
    // Not JSON: the text itself is the best there is.
  }
  return text.slice(0, 200) || `HTTP ${response.status}`
}

/** The control over HTTP. Its calls reject with the server's words. */
export const httpFaults = ({ url, token, fetch = globalThis.fetch }: HttpFaultsOptions): FaultControl => {
  const ask = async (method: string, query = "", body?: FaultRequest): Promise<Response> => {
    const response = await fetch(`${url}${query}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(token === undefined ? {} : { "x-espalier-dev": token }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    if (!response.ok) throw new Error(await problemOf(response))
    return response
  }
  return {
    list: async () => {
      const body = (await (await ask("GET")).json()) as { readonly faults?: ReadonlyArray<FaultInForce> }
      return body.faults ?? []
    },
    add: async (fault) => void (await ask("POST", "", fault)),
    remove: async (id) => void (await ask("DELETE", `?id=${encodeURIComponent(id)}`)),
    clear: async () => void (await ask("DELETE")),
  }
}

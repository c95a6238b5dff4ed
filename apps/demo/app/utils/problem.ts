/** Calls the demo's own JSON routes and turns whatever goes wrong into one error with words for the page. */

/** A route said no, or nobody answered (`status` 0). */
export class RouteError extends Error {
  override readonly name = "RouteError"
  readonly status: number
  readonly code: string
  /** The field of the body that was refused. */
  readonly field: string | null
  constructor(status: number, code: string, message: string, field: string | null = null) {
    super(message)
    this.status = status
    this.code = code
    this.field = field
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

const errorOf = (status: number, body: unknown): RouteError => {
  const text = (name: string): string | null =>
    isRecord(body) && typeof body[name] === "string" ? body[name] : null
  return new RouteError(
    status,
    text("code") ?? "unknown",
    text("message") ?? `The server answered ${status}.`,
    text("field"),
  )
}

/** Sends JSON, receives JSON and the status. @throws RouteError */
export const sendRoute = async <Answer>(
  method: string,
  path: string,
  body?: unknown,
): Promise<{ readonly status: number; readonly body: Answer }> => {
  let response: Response
  try {
    response = await fetch(path, {
      method,
      credentials: "same-origin",
      ...(body === undefined
        ? {}
        : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    })
  } catch {
    throw new RouteError(0, "network", "The server does not answer. Check your connection and try again.")
  }
  const answer: unknown = await response.json().catch(() => null)
  if (!response.ok) throw errorOf(response.status, answer)
  return { status: response.status, body: answer as Answer }
}

/** Sends JSON, receives JSON. @throws RouteError */
export const callRoute = async <Answer>(method: string, path: string, body?: unknown): Promise<Answer> =>
  (await sendRoute<Answer>(method, path, body)).body

/** Words for anything that was thrown. */
export const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/**
 * Whether an answer is one of the documented forms (protocol reference §1.3, §2.1; the package's README). Pure.
 */

/** An answer as it came. */
export interface FuzzAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly body: string
  /** Read to its end; event streams are left early. */
  readonly isWhole: boolean
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown
  } catch {
    // No value of JSON is `undefined`.
    return undefined
  }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isMessage = (value: unknown): boolean =>
  isObject(value) &&
  isObject(value["headers"]) &&
  ["operation", "control", "event"].some((name) => name in (value["headers"] as object))

const isErrorMap = (value: unknown): boolean =>
  isObject(value) &&
  Object.keys(value).length > 0 &&
  Object.values(value).every(
    (one) =>
      typeof one === "string" ||
      (Array.isArray(one) && one.length > 0 && one.every((text) => typeof text === "string")) ||
      isErrorMap(one),
  )

const forms: Readonly<Record<number, (body: unknown, text: string) => boolean>> = {
  200: (body) =>
    (Array.isArray(body) && body.every(isMessage)) ||
    (isObject(body) &&
      ((isObject(body["metadata"]) && Array.isArray(body["data"])) || body["status"] === "active")),
  202: (_, text) => text === "",
  204: (_, text) => text === "",
  304: (_, text) => text === "",
  400: (body) =>
    isObject(body) &&
    ((body["message"] === "Invalid request" && isErrorMap(body["errors"])) ||
      typeof body["error"] === "string" ||
      body["message"] === "Handle and shape definition do not match"),
  401: (body) => isObject(body) && typeof body["message"] === "string",
  403: (body) => isObject(body) && typeof body["code"] === "string",
  404: (body, text) => text === "Not found" || (isObject(body) && typeof body["message"] === "string"),
  405: (body) => isObject(body) && typeof body["message"] === "string",
  409: (_, text) => text === '[{"headers":{"control":"must-refetch"}}]',
  413: (body) => isObject(body) && typeof body["error"] === "string",
  503: (body) => isObject(body) && typeof body["message"] === "string",
}

/** What is wrong with the form of an answer; `null` for nothing. */
export const judgeForm = (method: string, answer: FuzzAnswer): string | null => {
  const { body, headers, isWhole, status } = answer
  // Node itself refuses what is no HTTP or too long before the server sees it.
  if ((status === 431 || status === 400) && headers["electric-server"] === undefined && body === "")
    return null
  const form = forms[status]
  if (form === undefined) return `status ${status} is not documented: ${body.slice(0, 300)}`
  const isOurs = status === 401 || status === 403 || status === 405
  if (headers["electric-server"] === undefined && !(isOurs && (method === "HEAD" || isObject(parse(body)))))
    return "no electric-server header"
  if (method === "HEAD" || body === "" || !isWhole) {
    return body === "" || !isWhole ? null : "a HEAD answer with a body"
  }
  return form(parse(body), body) ? null : `not a documented ${status}: ${body.slice(0, 300)}`
}

/** The full rows an answer shows: of snapshots, subsets and inserts. */
export const rowsOf = (answer: FuzzAnswer): ReadonlyArray<Readonly<Record<string, string | null>>> => {
  const body = answer.status === 200 && answer.isWhole ? parse(answer.body) : undefined
  const messages: unknown = isObject(body) ? body["data"] : body
  if (!Array.isArray(messages)) return []
  return messages.flatMap((message: unknown) => {
    const { headers, value } = message as {
      readonly headers: Record<string, unknown>
      readonly value?: unknown
    }
    return headers["operation"] === "insert" ? [value as Record<string, string | null>] : []
  })
}

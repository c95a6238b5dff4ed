/**
 * The edge between h3 and everything else: reads the session, the body and the query, runs a handler and turns problems into
 * JSON. An unexpected failure is logged here and answered without a word of its insides. Used by every route.
 */
import {
  deleteCookie,
  getCookie,
  getRequestHeader,
  getRequestProtocol,
  readRawBody,
  setCookie,
  setResponseHeader,
  setResponseStatus,
  type H3Event,
} from "h3"
import { demoOf } from "../DemoServer.ts"
import {
  cookieName,
  sessionMillis,
  signSession,
  verifySession,
  type CookieVerdict,
} from "../session/cookie.ts"
import { HttpProblem } from "./HttpProblem.ts"
import { parseJson } from "./validate.ts"

const cookieOptions = (event: H3Event) => ({
  httpOnly: true,
  sameSite: "lax" as const,
  path: "/",
  secure: getRequestProtocol(event, { xForwardedProto: true }) === "https",
})

/** Starts a session for a person. */
export const signIn = (event: H3Event, userId: string): void => {
  const expiresAt = Date.now() + sessionMillis
  const value = signSession({ userId, expiresAt }, demoOf(event).secret)
  setCookie(event, cookieName, value, { ...cookieOptions(event), maxAge: sessionMillis / 1000 })
}

/** Ends the session. */
export const signOut = (event: H3Event): void => deleteCookie(event, cookieName, cookieOptions(event))

/** What the request's cookie says. A corrupt, forged or expired one is cleared with this answer. */
export const sessionOf = (event: H3Event): CookieVerdict => {
  const verdict = verifySession(getCookie(event, cookieName), demoOf(event).secret, Date.now())
  if (verdict._tag === "invalid") signOut(event)
  return verdict
}

/** The signed-in person's id. @throws HttpProblem 401 */
export const requireUser = (event: H3Event): string => {
  const verdict = sessionOf(event)
  if (verdict._tag === "valid") return verdict.session.userId
  const message =
    verdict._tag === "absent" ? "Nobody is signed in." : "The session cookie is not valid; it was cleared."
  throw new HttpProblem("unauthenticated", message)
}

/** Hides a route unless the demo flag is set: it answers as a path that does not exist. @throws HttpProblem 404 */
export const requireDemo = (event: H3Event): void => {
  if (!demoOf(event).settings.demo) throw new HttpProblem("not_found", "There is no such route.")
}

/**
 * The JSON body of a request, `{}` when it has none. Anything but `application/json` is refused: a form on a foreign page
 * cannot send that type, so it cannot act for whoever is signed in here.
 */
export const readJson = async (event: H3Event): Promise<unknown> => {
  const body = await readRawBody(event, "utf8")
  if (body === undefined || body === "") return {}
  const type = getRequestHeader(event, "content-type")?.split(";")[0]?.trim().toLowerCase()
  if (type !== "application/json") {
    throw new HttpProblem("bad_request", "Send the body as application/json.", { field: "content-type" })
  }
  return parseJson(body)
}

const toProblem = (cause: unknown): HttpProblem => {
  if (cause instanceof HttpProblem) return cause
  console.error("Unexpected failure in a route:", cause)
  return new HttpProblem("internal", "Something went wrong on the server. Its log says what.", { cause })
}

/** The methods a route has. HEAD goes where GET does. @throws HttpProblem 405 */
const requireMethod = (event: H3Event, methods: ReadonlyArray<string>): void => {
  const asked = event.method === "HEAD" ? "GET" : event.method
  if (methods.includes(asked)) return
  const message = `${event.method} is not possible here. Possible: ${methods.join(", ")}.`
  throw new HttpProblem("method_not_allowed", message, { allow: methods })
}

/** Runs a route. The answer is JSON and never cached. `methods`: those it has; null when the route looks itself. */
export const respond = async (
  event: H3Event,
  methods: ReadonlyArray<string> | null,
  run: () => Promise<{ readonly status: number; readonly body: unknown }>,
): Promise<unknown> => {
  setResponseHeader(event, "cache-control", "private, no-store")
  setResponseHeader(event, "content-type", "application/json; charset=utf-8")
  try {
    if (methods !== null) requireMethod(event, methods)
    const answer = await run()
    setResponseStatus(event, answer.status)
    return JSON.stringify(answer.body)
  } catch (cause) {
    const problem = toProblem(cause)
    setResponseStatus(event, problem.status)
    if (problem.allow.length > 0) setResponseHeader(event, "allow", problem.allow.join(", "))
    if (problem.code === "database_unreachable") setResponseHeader(event, "retry-after", 2)
    return JSON.stringify(problem.toBody())
  }
}

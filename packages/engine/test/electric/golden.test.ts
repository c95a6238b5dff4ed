/**
 * What the real server was recorded saying: every answer is read without a complaint, and none trips the rules by which the source
 * recognises a void handle or a stuck server. Skipped where the recordings are absent.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { classifyAnswer } from "../../src/adapters/electric/classify.ts"
import { requestFacts } from "../../src/adapters/electric/urls.ts"
import { decodeBody, isRegression } from "../../src/adapters/electric/wire.ts"

const folder = fileURLToPath(new URL("../../../../../shared/golden/", import.meta.url))

interface Recorded {
  readonly where: string
  readonly url: URL
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
  readonly text: string | undefined
}

/** Every object with `url`, `status` and `headers`, however deep it stands in a scenario. */
const responsesIn = (where: string, value: unknown): ReadonlyArray<Recorded> => {
  if (typeof value !== "object" || value === null) return []
  if ("url" in value && "status" in value && "headers" in value) {
    const { body, headers, status, text, url } = value as Record<string, unknown>
    return [
      {
        where,
        url: new URL(String(url), "http://127.0.0.1"),
        status: Number(status),
        headers: headers as Record<string, string>,
        body,
        text: typeof text === "string" ? text : undefined,
      },
    ]
  }
  return Object.values(value).flatMap((inner) => responsesIn(where, inner))
}

const recorded = existsSync(folder)
  ? readdirSync(folder)
      .filter((name) => name.endsWith(".json"))
      .flatMap((name) => responsesIn(name, JSON.parse(readFileSync(`${folder}${name}`, "utf8"))))
  : []

/** Answers of shape logs: no subsets, no event streams. */
const logs = recorded.filter(
  ({ body, headers, status, url }) =>
    status === 200 &&
    url.pathname.startsWith("/v1/shape") &&
    Array.isArray(body) &&
    headers["electric-snapshot"] === undefined &&
    ![...url.searchParams.keys()].some((name) => name.startsWith("subset")),
)

// The recordings are reference material that does not come with the repository.
describe.skipIf(recorded.length === 0)("the recorded server", () => {
  it("says nothing that is refused", () => {
    expect(logs.length).toBeGreaterThan(500)
    const refused = logs.flatMap(({ body, where }) => {
      const result = decodeBody(JSON.stringify(body))
      return result._tag === "Violation" ? [`${where}: ${result.message}`] : []
    })
    expect(refused).toEqual([])
  })

  it("marks exactly the answers up to date that the body says are", () => {
    const differing = logs.filter(({ body, headers }) => {
      const result = decodeBody(JSON.stringify(body))
      return result._tag === "Body" && result.upToDate !== "electric-up-to-date" in headers
    })
    expect(differing.map(({ where }) => where)).toEqual([])
  })

  it("never goes back and never stands still without being up to date", () => {
    const odd = logs.flatMap(({ headers, url, where }) => {
      const { offset } = requestFacts(url)
      const answered = headers["electric-offset"] ?? ""
      if (offset === "now" || offset.startsWith("-1")) return []
      const stuck = answered === offset && !("electric-up-to-date" in headers)
      return isRegression(offset, answered) || stuck ? [`${where}: ${offset} to ${answered}`] : []
    })
    expect(odd).toEqual([])
  })

  it("fails only in ways that have a reason, in its own words", () => {
    const failed = recorded.filter(({ status }) => status >= 400 && status !== 409)
    expect(failed.length).toBeGreaterThan(50)
    for (const { body, headers, status, text } of failed) {
      const reason = classifyAnswer(
        { status, retryAfter: headers["retry-after"] ?? null, body: text ?? JSON.stringify(body) },
        0,
      )
      const expected = status === 401 ? "Unauthorised" : status >= 500 ? "Overloaded" : "ShapeRejected"
      expect(reason._tag).toBe(expected)
      if (status === 400) expect(reason.message.length).toBeGreaterThan("the server answered 400: ".length)
    }
  })
})

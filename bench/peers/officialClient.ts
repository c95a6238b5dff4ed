/** The official client with a subscriber that does nothing: what any product on top of it pays before its first row. */
import { ShapeStream } from "@electric-sql/client"
import { companyOf, wideTable } from "../lib/wideRows.ts"

/** Leaves every value the text that came. */
export const identityParser: Readonly<Record<string, (value: string) => string>> = Object.fromEntries(
  ["uuid", "text", "jsonb", "timestamptz"].map((type) => [type, (value: string) => value]),
)

/** Reads one shape to its up-to-date. */
export const readShape = (url: string, shape: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const aborter = new AbortController()
    const stream = new ShapeStream({
      url,
      params: { table: wideTable, where: "company_id = $1", params: [companyOf(shape)] },
      parser: identityParser,
      signal: aborter.signal,
    })
    stream.subscribe((messages) => {
      if (messages.some(({ headers }) => "control" in headers && headers.control === "up-to-date")) {
        aborter.abort()
        resolve()
      }
    }, reject)
  })

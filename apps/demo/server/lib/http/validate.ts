/**
 * Small typed validators for request bodies, queries and path parameters. They exist so that a malformed request is a 400
 * that names the field, and so that an endpoint's body type is inferred from its declaration. Pure; they throw `HttpProblem`.
 */
import { HttpProblem } from "./HttpProblem.ts"

/** Reads one field: returns the value, or throws with the field's path. `expects` says what it takes, for the listing. */
export interface Field<Value> {
  (value: unknown, path: string): Value
  readonly expects: string
}

const field = <Value>(expects: string, read: (value: unknown, path: string) => Value): Field<Value> =>
  Object.assign((value: unknown, path: string) => read(value, path), { expects })

/** Fields by name. */
export type Fields = Readonly<Record<string, Field<unknown>>>

/** The validated type of a record of fields. */
export type FieldsOf<Record extends Fields> = {
  readonly [Name in keyof Record]: ReturnType<Record[Name]>
}

const refuse = (path: string, message: string): never => {
  throw new HttpProblem("bad_request", `${path} ${message}`, { field: path })
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** A UUID in its usual spelling, lower-cased as Postgres prints it. */
export const uuid: Field<string> = field("uuid", (value, path) =>
  typeof value === "string" && uuidPattern.test(value)
    ? value.toLowerCase()
    : refuse(path, "must be a UUID such as 10000000-0000-4000-8000-000000000001."),
)

/** Non-blank text without control characters (NUL is not storable), trimmed, at most `maxLength` characters. */
export const text = (maxLength: number): Field<string> =>
  field(`text, at most ${maxLength} characters`, (value, path) => {
    if (typeof value !== "string") return refuse(path, "must be text.")
    const trimmed = value.trim()
    if (trimmed === "") return refuse(path, "must not be empty.")
    if ([...trimmed].length > maxLength) return refuse(path, `must have at most ${maxLength} characters.`)
    // A lone surrogate cannot be sent as UTF-8, and control characters have no place in a name.
    if (/\p{Cc}|\p{Cs}/u.test(trimmed)) return refuse(path, "must not contain control characters.")
    return trimmed
  })

/** A whole number between `min` and `max`, both included. */
export const integer = (min: number, max: number): Field<number> =>
  field(`whole number from ${min} to ${max}`, (value, path) =>
    typeof value === "number" && Number.isInteger(value) && value >= min && value <= max
      ? value
      : refuse(path, `must be a whole number from ${min} to ${max}.`),
  )

/** One of the given words. */
export const oneOf = <const Word extends string>(...words: ReadonlyArray<Word>): Field<Word> =>
  field(
    words.join(" | "),
    (value, path) =>
      words.find((word) => word === value) ?? refuse(path, `must be one of ${words.join(", ")}.`),
  )

/** Absent or `null` becomes `undefined`. */
export const optional = <Value>(inner: Field<Value>): Field<Value | undefined> =>
  field(`${inner.expects} (optional)`, (value, path) =>
    value === undefined || value === null ? undefined : inner(value, path),
  )

/** Checks a record field by field. An unknown field is refused, so that a typo is not silently ignored. */
export const record =
  <const Declared extends Fields>(fields: Declared, what = "The body") =>
  (value: unknown): FieldsOf<Declared> => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new HttpProblem("bad_request", `${what} must be a JSON object.`)
    }
    const input: Readonly<Record<string, unknown>> = { ...value }
    for (const name of Object.keys(input)) {
      if (!Object.hasOwn(fields, name)) {
        const known = Object.keys(fields)
        refuse(name, known.length === 0 ? "is not expected here." : `is unknown. Known: ${known.join(", ")}.`)
      }
    }
    return Object.fromEntries(
      Object.entries(fields).map(([name, read]) => [
        name,
        read(Object.hasOwn(input, name) ? input[name] : undefined, name),
      ]),
    ) as FieldsOf<Declared>
  }

/** Parses a request body. `maxBytes` keeps a stray upload from filling memory. */
export const parseJson = (body: string | undefined, maxBytes = 64 * 1024): unknown => {
  if (body === undefined || body.trim() === "") return {}
  if (Buffer.byteLength(body) > maxBytes) {
    throw new HttpProblem("bad_request", `The body must be at most ${maxBytes} bytes.`)
  }
  try {
    return JSON.parse(body) as unknown
  } catch (cause) {
    throw new HttpProblem("bad_request", "The body is not valid JSON.", { cause })
  }
}

/**
 * Reads a query string the way Electric's server does: of a repeated name the last value wins, `name[key]` makes a map,
 * `name[]` a list, and an empty value of most parameters counts as absent (protocol reference §1.2, §14.1). Pure.
 */

/** A parameter's value: text, or a map where brackets were used. */
export type QueryValue = string | ReadonlyMap<string, string>

/** The parameters of a request by name. */
export type Query = ReadonlyMap<string, QueryValue>

/** `search` without the question mark. */
export const parseQuery = (search: string): Query => {
  const query = new Map<string, QueryValue>()
  for (const [rawName, value] of new URLSearchParams(search)) {
    const bracket = /^([^[]+)\[([^\]]*)\](.*)$/u.exec(rawName)
    if (bracket === null) {
      query.set(rawName, value)
      continue
    }
    const [, name = "", key = "", rest = ""] = bracket
    const known = query.get(name)
    const map = new Map(typeof known === "object" ? known : [])
    map.set(`${key}${rest}`, value)
    query.set(name, map)
  }
  return query
}

/** One finding of the validation, and small helpers to word it. Exists so that every check can share them without a cycle. */

/** One problem: where it is (`nodes.members.on.company_id`), what is wrong, and what to do. */
export interface GraphProblem {
  readonly path: string
  readonly message: string
  readonly fix: string
}

export const problem = (path: string, message: string, fix: string): GraphProblem => ({ path, message, fix })

/** `use one of: a, b` or, where there is nothing to choose from, what to do instead. */
export const oneOf = (names: ReadonlyArray<string>, otherwise: string): string =>
  names.length === 0 ? otherwise : `use one of: ${names.join(", ")}`

/** Postgres cuts longer names silently, so that two could become one. */
const maxIdentifierBytes = 63

/** What is wrong with a name as a Postgres identifier, or `null`. */
export const identifierFault = (name: string): string | null => {
  if (name === "") return "the name is empty"
  if (name.includes("\0") || !name.isWellFormed()) return "the name holds characters Postgres cannot store"
  const bytes = new TextEncoder().encode(name).length
  return bytes > maxIdentifierBytes
    ? `the name has ${bytes} bytes; Postgres keeps ${maxIdentifierBytes}`
    : null
}

/** Values that occur more than once, each once. */
export const repeated = (values: ReadonlyArray<string>): ReadonlyArray<string> => [
  ...new Set(values.filter((value, index) => values.indexOf(value) !== index)),
]

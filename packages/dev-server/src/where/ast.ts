/**
 * Reading libpg_query's tree. Its JSON leaves out fields that are zero, false or empty; these readers put them back. Pure.
 */

/** A node: one key naming its kind, over its fields. */
export type Node = Readonly<Record<string, unknown>>

/** The fields of a node. */
export type Fields = Readonly<Record<string, unknown>>

/** Kind and fields of a node. */
export const open = (node: unknown): readonly [kind: string, fields: Fields] => {
  const [entry] = Object.entries((node ?? {}) as Node)
  return entry === undefined ? ["", {}] : [entry[0], (entry[1] ?? {}) as Fields]
}

/** A list field; absent is empty. */
export const list = (value: unknown): ReadonlyArray<Node> =>
  Array.isArray(value) ? (value as ReadonlyArray<Node>) : []

/** The text of a `String` node; empty for any other node. */
export const stringOf = (node: unknown): string => {
  const [kind, fields] = open(node)
  return kind === "String" ? String(fields["sval"] ?? "") : ""
}

/** Every node of a kind below `root`, in tree order. */
export const findAll = (root: unknown, kind: string): ReadonlyArray<Fields> => {
  const found: Array<Fields> = []
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) return value.forEach(visit)
    if (typeof value !== "object" || value === null) return
    for (const [key, child] of Object.entries(value)) {
      if (key === kind) found.push((child ?? {}) as Fields)
      visit(child)
    }
  }
  visit(root)
  return found
}

/**
 * Structural sharing: what did not change keeps its identity, so that Vue re-renders only what did. Pure.
 * Knows the values PGlite and structured clone produce (primitives, dates, byte arrays, arrays, plain
 * objects) and nothing of Vue.
 */

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, index) => byte === b[index])

const sameObjects = (a: Record<string, unknown>, b: Record<string, unknown>): boolean => {
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && equal(a[key], b[key]))
  )
}

/** Equality by content. */
export const equal = (a: unknown, b: unknown): boolean => {
  if (Object.is(a, b)) return true
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false
  if (a instanceof Date) return Object.is(a.getTime(), (b as Date).getTime())
  if (a instanceof Uint8Array) return sameBytes(a, b as Uint8Array)
  if (Array.isArray(a)) {
    const other = b as ReadonlyArray<unknown>
    return a.length === other.length && a.every((item, index) => equal(item, other[index]))
  }
  return isPlain(a) && isPlain(b) && sameObjects(a, b)
}

/** `next`, with every part that equals its counterpart in `previous` replaced by that counterpart. */
export const shareDeep = <Value>(previous: unknown, next: Value): Value => {
  if (Object.is(previous, next)) return next
  if (Array.isArray(previous) && Array.isArray(next)) {
    const shared = next.map((item, index) => shareDeep(previous[index], item))
    const same = shared.length === previous.length && shared.every((item, index) => item === previous[index])
    return (same ? previous : shared) as Value
  }
  const plain = isPlain(previous) && isPlain(next) && Object.getPrototypeOf(next) === Object.prototype
  if (!plain) return equal(previous, next) ? (previous as Value) : next
  let same = Object.keys(previous).length === Object.keys(next).length
  const shared: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(next)) {
    shared[key] = shareDeep(previous[key], value)
    if (!Object.hasOwn(previous, key) || !Object.is(shared[key], previous[key])) same = false
  }
  return (same ? previous : shared) as Value
}

const jsonSafe = (_key: string, value: unknown): unknown =>
  typeof value === "bigint" ? `${value}n` : value instanceof Uint8Array ? [...value] : value

const isPrimitive = (value: unknown): boolean => typeof value !== "object" && typeof value !== "function"

/**
 * Identity of a row: its key columns, or its whole content where it has no key. Comparable by a `Map`; a single
 * primitive is its own identity, which is what makes ten thousand rows cheap.
 */
export const rowIdentity = (key: ReadonlyArray<string>): ((row: object) => unknown) => {
  if (key.length === 0) return (row) => JSON.stringify(row, jsonSafe)
  const composite = (row: object): string =>
    JSON.stringify(
      key.map((column) => (row as Record<string, unknown>)[column]),
      jsonSafe,
    )
  const [only] = key
  if (key.length > 1 || only === undefined) return composite
  return (row) => {
    const value = (row as Record<string, unknown>)[only]
    return isPrimitive(value) ? value : composite(row)
  }
}

/**
 * The new rows, each replaced by the old row object of the same identity and content. Returns the old array
 * itself when nothing changed at all. Rows that are the very same objects in the same places cost a comparison.
 */
export const shareRows = <Row extends object>(
  previous: ReadonlyArray<Row>,
  next: ReadonlyArray<Row>,
  key: ReadonlyArray<string>,
): ReadonlyArray<Row> => {
  const identity = rowIdentity(key)
  const held = new Map<unknown, Array<Row>>()
  previous.forEach((row, index) => {
    if (row === next[index]) return
    const id = identity(row)
    const twins = held.get(id)
    if (twins === undefined) held.set(id, [row])
    else twins.push(row)
  })
  let same = previous.length === next.length
  const rows = next.map((row, index) => {
    if (row === previous[index]) return row
    // Without a key equal rows are twins; each old object is handed out once, in order.
    const old = held.get(identity(row))?.shift()
    const kept = old !== undefined && equal(old, row) ? old : row
    if (kept !== previous[index]) same = false
    return kept
  })
  return same ? previous : rows
}

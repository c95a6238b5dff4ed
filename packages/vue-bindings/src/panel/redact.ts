/**
 * Takes what may name a person out of texts: binding values, parameters, UUIDs, addresses and quoted literals, each replaced
 * by an alias that stays the same within one panel (`‹1›`), so that "the same company" can still be seen. Exists so that a
 * panel in production and a copied bug report give away structure only. Pure apart from the aliases it remembers.
 */

/** One replaced value: its number says "the same value again". */
const aliasOf = (index: number): string => `‹${index + 1}›`

const uuid = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi
const email = /[\w.+-]+@[\w-]+(?:\.[\w-]+)+/g
const quoted = /'(?:[^']|'')*'/g
/** Whole words, so that the value `1` is not found in `100`. */
const word = /[\p{L}\p{N}_]+/gu

export interface Redactor {
  /** Makes values known that are to be found in any text. */
  readonly learn: (values: Iterable<string>) => void
  /** The text without what may name anybody. */
  readonly text: (text: string) => string
  /** The alias of one whole value. */
  readonly value: (value: string) => string
}

export const makeRedactor = (): Redactor => {
  const aliases = new Map<string, string>()
  /** Learned values that are one word, and those that are not (longest first). */
  const words = new Set<string>()
  let phrases: ReadonlyArray<string> = []
  const value = (text: string): string => {
    const known = aliases.get(text)
    if (known !== undefined) return known
    const alias = aliasOf(aliases.size)
    aliases.set(text, alias)
    return alias
  }
  const learn = (values: Iterable<string>): void => {
    const fresh = [...values].filter((one) => one !== "" && !words.has(one) && !phrases.includes(one))
    if (fresh.length === 0) return
    const isWord = (one: string): boolean => one.replace(word, "") === "" && one.match(word)?.length === 1
    for (const one of fresh) if (isWord(one)) words.add(one)
    const others = fresh.filter((one) => !isWord(one) && one.replace(uuid, "") !== "")
    if (others.length > 0) {
      phrases = [...new Set([...phrases, ...others])].sort((left, right) => right.length - left.length)
    }
  }
  const text = (given: string): string => {
    let out = given.replace(uuid, value).replace(email, value).replace(quoted, value)
    for (const phrase of phrases) if (out.includes(phrase)) out = out.replaceAll(phrase, value(phrase))
    return words.size === 0 ? out : out.replace(word, (one) => (words.has(one) ? value(one) : one))
  }
  return { learn, text, value }
}

/** What may be said of a value itself: its kind and size. */
export const describeValue = (value: unknown): string => {
  if (value === null || value === undefined) return "null"
  if (typeof value === "string") return `‹text, ${value.length}›`
  if (value instanceof Uint8Array) return `‹bytes, ${value.byteLength}›`
  if (value instanceof Date) return "‹time›"
  return typeof value === "object" ? "‹json›" : `‹${typeof value}›`
}

/** A value as a cell shows it. */
export const formatValue = (value: unknown): string => {
  if (value === null || value === undefined) return "null"
  if (typeof value === "string") return value
  if (value instanceof Uint8Array)
    return `\\x${[...value].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`
  if (value instanceof Date) return value.toISOString()
  return typeof value === "object" ? JSON.stringify(value) : String(value)
}

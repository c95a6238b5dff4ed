/**
 * Names in SQL: quoting ours, and reading the ones a request spells (`table`, `columns`) by Electric's rules with
 * Electric's words. Pure.
 */

/** A SQL identifier, always quoted. */
export const quoteIdent = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** A SQL string literal. */
export const quoteText = (value: string): string => {
  const quoted = `'${value.replaceAll("'", "''")}'`
  return value.includes("\\") ? ` E${quoted.replaceAll("\\", "\\\\")}` : quoted
}

/** The longest identifier Postgres keeps, in bytes (NAMEDATALEN - 1). */
const maxIdentifierLength = 63

const unquoted = /^[\p{L}_][\p{L}\p{N}_$]*$/u

/** Reads one identifier as a request spells it. `error` is the text Electric answers. */
export const parseIdentifier = (
  text: string,
): { readonly name: string; readonly error?: never } | { readonly error: string; readonly name?: never } => {
  const isQuoted = text.length >= 2 && text.startsWith('"') && text.endsWith('"')
  const inner = isQuoted ? text.slice(1, -1) : text
  if (inner === "") return { error: "Invalid zero-length delimited identifier" }
  if (isQuoted && /(^|[^"])("")*"($|[^"])/u.test(inner)) {
    return { error: `Invalid identifier with unescaped quote: ${inner}` }
  }
  if (!isQuoted && !unquoted.test(text)) {
    return { error: `Invalid unquoted identifier contains special characters: ${text}` }
  }
  const name = isQuoted ? inner.replaceAll('""', '"') : text.toLowerCase()
  return name.length > maxIdentifierLength
    ? { error: `Identifier is too long (max length is ${maxIdentifierLength})` }
    : { name }
}

/** Splits at `separator` outside double quotes. */
export const splitOutsideQuotes = (text: string, separator: string): ReadonlyArray<string> => {
  const parts: Array<string> = []
  let part = ""
  let quoted = false
  for (const char of text) {
    if (char === '"') quoted = !quoted
    if (char === separator && !quoted) {
      parts.push(part)
      part = ""
    } else part += char
  }
  parts.push(part)
  return parts
}

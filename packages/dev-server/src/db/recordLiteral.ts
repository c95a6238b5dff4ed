/**
 * Reads and writes Postgres's text form of a row, `(1,"a ""b""",,t)`. Rows travel as this one text from triggers and snapshots,
 * because it holds every column exactly as its type prints itself and survives schema changes. Pure.
 */
import type { Text } from "./Database.ts"

/** The fields of a row literal; an absent field is NULL, `""` is the empty string. */
export const parseRecord = (literal: string): Array<Text> => {
  const fields: Array<Text> = []
  const end = literal.length - 1
  let at = 1
  if (end <= 1) return [null]
  for (;;) {
    const field = readField(literal, at, end)
    fields.push(field.value)
    at = field.next
    if (literal[at] !== ",") return fields
    at += 1
  }
}

const readField = (
  literal: string,
  start: number,
  end: number,
): { readonly value: Text; readonly next: number } => {
  let at = start
  let text = ""
  let quoted = false
  let seen = false
  while (at < end) {
    const char = literal[at]
    if (!quoted && char === ",") break
    seen = true
    if (char === '"') {
      if (quoted && literal[at + 1] === '"') {
        text += '"'
        at += 2
        continue
      }
      quoted = !quoted
      at += 1
      continue
    }
    if (char === "\\") {
      text += literal[at + 1] ?? ""
      at += 2
      continue
    }
    text += char
    at += 1
  }
  return { value: seen ? text : null, next: at }
}

/** Writes fields as a row literal that Postgres reads back as the same row. */
export const formatRecord = (fields: ReadonlyArray<Text>): string =>
  `(${fields.map((field) => (field === null ? "" : `"${field.replaceAll("\\", "\\\\").replaceAll('"', '""')}"`)).join(",")})`

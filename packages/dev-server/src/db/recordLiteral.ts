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

interface Field {
  readonly value: Text
  readonly next: number
}

/** Fields as Postgres prints them are cut out whole; joining single characters would cost a million-row snapshot gigabytes. */
const readField = (literal: string, start: number, end: number): Field =>
  (literal[start] === '"' ? cutQuoted(literal, start, end) : cutPlain(literal, start, end)) ??
  spellField(literal, start, end)

const cutPlain = (literal: string, start: number, end: number): Field | null => {
  const comma = literal.indexOf(",", start)
  const next = comma < 0 || comma > end ? end : comma
  const text = literal.slice(start, next)
  if (text.includes('"') || text.includes("\\")) return null
  return { value: text === "" ? null : text, next }
}

const cutQuoted = (literal: string, start: number, end: number): Field | null => {
  let close = literal.indexOf('"', start + 1)
  while (close >= 0 && literal[close + 1] === '"') close = literal.indexOf('"', close + 2)
  if (close < 0 || (close + 1 !== end && literal[close + 1] !== ",")) return null
  const text = literal.slice(start + 1, close)
  return text.includes("\\") ? null : { value: text.replaceAll('""', '"'), next: close + 1 }
}

/** Reads a field character by character: quotes and backslashes may stand anywhere in it. */
const spellField = (literal: string, start: number, end: number): Field => {
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

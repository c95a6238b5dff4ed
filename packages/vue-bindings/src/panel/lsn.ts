/** The Postgres log position inside an offset. Pure. */

/**
 * `0/199C478` of the offset `26854520_3`: what stands before the underscore is the position as a number. Null for the start
 * of a log and for a first snapshot, which have none.
 */
export const lsnOfOffset = (offset: string | null): string | null => {
  const match = /^(\d+)_\d+$/.exec(offset ?? "")
  if (match?.[1] === undefined || match[1] === "0") return null
  const position = BigInt(match[1])
  const hex = (part: bigint): string => part.toString(16).toUpperCase()
  return `${hex(position >> 32n)}/${hex(position & 0xffffffffn)}`
}

/** `numeric` as binary: digits in base 10,000 with the position of the first and the number of decimal places. Called by `encoders.ts`. */
import type { Encode } from "./encoders.ts"

const plain = /^(-?)(\d{1,120})(?:\.(\d{1,120}))?$/

/** Plain decimal notation only; exponents, NaN and infinities are Postgres's to read. */
export const numeric: Encode = (writer, value) => {
  const parts = plain.exec(value)
  if (parts === null) return false
  const whole = (parts[2] ?? "").replace(/^0+/, "")
  const fraction = parts[3] ?? ""
  const padded = whole.padStart(Math.ceil(whole.length / 4) * 4, "0")
  const all = padded + fraction.padEnd(Math.ceil(fraction.length / 4) * 4, "0")
  const groups: Array<number> = []
  for (let index = 0; index < all.length; index += 4) groups.push(Number(all.slice(index, index + 4)))
  let weight = padded.length / 4 - 1
  let first = 0
  let last = groups.length
  while (first < last && groups[first] === 0) {
    first += 1
    weight -= 1
  }
  while (last > first && groups[last - 1] === 0) last -= 1
  const isZero = first === last
  writer.int32(8 + (last - first) * 2)
  writer.int16(last - first)
  writer.int16(isZero ? 0 : weight)
  writer.int16(parts[1] === "-" && !isZero ? 0x4000 : 0)
  writer.int16(fraction.length)
  for (let index = first; index < last; index += 1) writer.int16(groups[index] ?? 0)
  return true
}

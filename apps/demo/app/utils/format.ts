/** How the demo spells people, counts, ages and colours. Pure. */

/** `Amara Okafor` → `AO`; one word gives its first two letters. */
export const initialsOf = (name: string): string => {
  const words = name.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== "")
  const [first = "?", last] = [words[0], words.length > 1 ? words.at(-1) : undefined]
  const letters = last === undefined ? [...first].slice(0, 2) : [[...first][0] ?? "", [...last][0] ?? ""]
  return letters.join("").toUpperCase()
}

/** A hue that stays with an id, spread over the circle by the golden angle. */
export const hueOf = (id: string): number => {
  let hash = 0
  for (const character of id) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 1_000_003
  return Math.round((hash * 137.508) % 360)
}

/** `1 folder`, `1,004 folders`. */
export const countOf = (count: number, one: string, many = `${one}s`): string =>
  `${count.toLocaleString("en")} ${count === 1 ? one : many}`

/** How long ago, in one unit: `just now`, `3 minutes ago`, `2 hours ago`, `5 days ago`. */
export const ageOf = (then: number, now: number): string => {
  const seconds = Math.max(0, Math.round((now - then) / 1000))
  if (seconds < 10) return "just now"
  if (seconds < 60) return `${seconds} seconds ago`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${countOf(minutes, "minute")} ago`
  const hours = Math.floor(minutes / 60)
  if (hours < 48) return `${countOf(hours, "hour")} ago`
  return `${countOf(Math.floor(hours / 24), "day")} ago`
}

/** `%` and `_` in what a person types are letters, not wildcards. */
export const likePattern = (typed: string): string => `%${typed.replace(/[\\%_]/g, (found) => `\\${found}`)}%`

/** `0 kB`, `12 kB`, `3.4 MB`; powers of 1,000. */
export const bytesOf = (bytes: number): string =>
  bytes < 1_000_000 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`

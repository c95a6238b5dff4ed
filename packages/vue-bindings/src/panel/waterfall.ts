/**
 * Requests as bars on a common time axis, one track per instance: pure geometry in percent of the window, and the words
 * beside it. Knows nothing of Vue.
 */
import type { RequestEntry } from "@espalier/engine/protocol"
import type { Tone } from "./format.ts"

export interface Bar {
  readonly entry: RequestEntry
  /** Percent of the window. */
  readonly left: number
  /** Percent; at least a visible sliver. */
  readonly width: number
  /** Share of the bar spent waiting for headers, in percent. */
  readonly waited: number
  readonly tone: Tone
}

export interface Track {
  readonly key: string
  readonly bars: ReadonlyArray<Bar>
  readonly requests: number
  readonly bytes: number
  readonly failed: number
  readonly open: number
}

/** The narrowest bar, in percent of the window. */
const leastWidth = 0.6

/** How a request went: colour follows from it, the word stands beside it. */
export const requestTone = ({ outcome, status }: RequestEntry): Tone => {
  if (outcome === "failed") return "bad"
  if (outcome === "open") return "busy"
  if (outcome === "cut" || outcome === "aborted") return "wait"
  if (status === null) return "bad"
  if (status === 409) return "warn"
  return status >= 400 ? (status === 429 || status >= 500 ? "warn" : "bad") : "good"
}

/** `200`, `409`, or what became of it where there is no status to tell. */
export const requestWord = ({ outcome, status }: RequestEntry): string =>
  outcome === "answered" ? String(status ?? "?") : outcome

/** From the oldest start to now, at least a second. */
export const requestWindow = (
  entries: ReadonlyArray<RequestEntry>,
  now: number,
): { readonly from: number; readonly to: number } => {
  const from = entries.reduce((least, { startedAt }) => Math.min(least, startedAt), now)
  const to = entries.reduce((most, { endedAt }) => Math.max(most, endedAt ?? 0), now)
  return { from: Math.min(from, to - 1_000), to }
}

/** Tracks in the order of their last request, newest first. */
export const waterfall = (
  entries: ReadonlyArray<RequestEntry>,
  window: { readonly from: number; readonly to: number },
): ReadonlyArray<Track> => {
  const span = Math.max(1, window.to - window.from)
  const byKey = new Map<string, Array<RequestEntry>>()
  for (const entry of entries) {
    const own = byKey.get(entry.key)
    if (own === undefined) byKey.set(entry.key, [entry])
    else own.push(entry)
  }
  const last = (own: ReadonlyArray<RequestEntry>): number => own.at(-1)?.id ?? 0
  return [...byKey]
    .sort(([, left], [, right]) => last(right) - last(left))
    .map(([key, own]) => ({
      key,
      bars: own
        .filter((entry) => (entry.endedAt ?? window.to) >= window.from)
        .map((entry) => barOf(entry, window, span)),
      requests: own.length,
      bytes: own.reduce((sum, { bytes }) => sum + bytes, 0),
      failed: own.filter((entry) => ["bad", "warn"].includes(requestTone(entry))).length,
      open: own.filter(({ outcome }) => outcome === "open").length,
    }))
}

const barOf = (
  entry: RequestEntry,
  window: { readonly from: number; readonly to: number },
  span: number,
): Bar => {
  const start = Math.max(entry.startedAt, window.from)
  const end = Math.max(start, entry.endedAt ?? window.to)
  const width = Math.max(leastWidth, ((end - start) / span) * 100)
  return {
    entry,
    left: Math.min(100 - leastWidth, ((start - window.from) / span) * 100),
    width,
    waited: end === start ? 100 : (((entry.headersAt ?? end) - start) / (end - start)) * 100,
    tone: requestTone(entry),
  }
}

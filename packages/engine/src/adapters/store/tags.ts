/**
 * The tag algebra of subquery shapes: which rows a move event touches and whether a row is still in its shape afterwards
 * (protocol reference §6). Pure; used by the fold and, for persisted rows, by the local stores.
 */
import type { MovePattern } from "../../protocol/Message.ts"

/** What a row of a subquery shape carries: one string per disjunct with its slots joined by `/`, and the truth of each position. */
export interface TagState {
  readonly tags: ReadonlyArray<string>
  readonly active: ReadonlyArray<boolean>
}

/** Slots of one disjunct by position; an empty slot is outside the disjunct. */
export const slotsOf = (tag: string): ReadonlyArray<string> => tag.split("/")

/** The state a change's headers state; conditions that were not sent hold. */
export const tagStateOf = (
  tags: ReadonlyArray<string>,
  active: ReadonlyArray<boolean> | undefined,
): TagState => ({ tags, active: active ?? slotsOf(tags[0] ?? "").map(() => true) })

/** A row belongs to its shape while some disjunct has all of its own positions true. */
export const isVisible = (state: TagState): boolean =>
  state.tags.some((tag) => slotsOf(tag).every((slot, pos) => slot === "" || state.active[pos] === true))

/** Whether a row is tagged with the pattern's value at the pattern's position. */
export const matches = (state: TagState, pattern: MovePattern): boolean =>
  state.tags.some((tag) => slotsOf(tag)[pattern.pos] === pattern.value)

/** The state with one position set. */
export const withCondition = (state: TagState, pos: number, value: boolean): TagState => ({
  tags: state.tags,
  active: Array.from({ length: Math.max(state.active.length, pos + 1) }, (_, index) =>
    index === pos ? value : (state.active[index] ?? false),
  ),
})

/** An index from (position, value) to rows, so that an event costs what it touches. */
export interface TagIndex {
  readonly get: (key: string) => TagState | undefined
  readonly set: (key: string, state: TagState) => void
  readonly remove: (key: string) => void
  /** Keys tagged with the pattern, as of now. */
  readonly find: (pattern: MovePattern) => ReadonlyArray<string>
}

/** An empty index. */
export const makeTagIndex = (): TagIndex => {
  const states = new Map<string, TagState>()
  const byPattern = new Map<string, Set<string>>()
  const patternsOf = (state: TagState): ReadonlyArray<string> =>
    state.tags.flatMap((tag) => slotsOf(tag).flatMap((slot, pos) => (slot === "" ? [] : [`${pos}/${slot}`])))
  const remove = (key: string): void => {
    const state = states.get(key)
    if (state === undefined) return
    for (const pattern of patternsOf(state)) byPattern.get(pattern)?.delete(key)
    states.delete(key)
  }
  return {
    get: (key) => states.get(key),
    remove,
    set: (key, state) => {
      const known = states.get(key)
      states.set(key, state)
      if (known?.tags === state.tags) return
      if (known !== undefined) for (const pattern of patternsOf(known)) byPattern.get(pattern)?.delete(key)
      for (const pattern of patternsOf(state)) {
        const keys = byPattern.get(pattern)
        if (keys === undefined) byPattern.set(pattern, new Set([key]))
        else keys.add(key)
      }
    },
    find: (pattern) => [...(byPattern.get(`${pattern.pos}/${pattern.value}`) ?? [])],
  }
}

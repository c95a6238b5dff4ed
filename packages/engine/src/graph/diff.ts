/**
 * Desired against actual: the plan that makes the second equal the first. The heart of reconciling, and therefore pure and without
 * any knowledge of shapes, stores or time. Cost is proportional to the two maps it is given. Called by the reconciler and tests.
 */

/** An instance that should run. */
export interface DesiredEntry {
  readonly hash: string
  /** Larger goes first. */
  readonly priority: number
  /** Distance from the root: parents start before children. */
  readonly depth: number
}

/** An instance that runs. */
export interface ActualEntry {
  readonly hash: string
  readonly depth: number
}

/** Steps by instance key, each list in the order to take. Restarts come after stops and before starts. */
export interface Plan {
  /** Children first. */
  readonly stop: ReadonlyArray<string>
  /** Same key, other definition: stop and start anew. Parents first, then priority, then key. */
  readonly restart: ReadonlyArray<string>
  /** Parents first, then larger priority, then key. */
  readonly start: ReadonlyArray<string>
  readonly keep: ReadonlyArray<string>
}

type Entry<Value> = readonly [key: string, value: Value]

const byKey = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0)

const parentsFirst = ([leftKey, left]: Entry<DesiredEntry>, [rightKey, right]: Entry<DesiredEntry>): number =>
  left.depth - right.depth || right.priority - left.priority || byKey(leftKey, rightKey)

const childrenFirst = ([leftKey, left]: Entry<ActualEntry>, [rightKey, right]: Entry<ActualEntry>): number =>
  right.depth - left.depth || byKey(leftKey, rightKey)

const keysOf = (entries: ReadonlyArray<Entry<unknown>>): ReadonlyArray<string> => entries.map(([key]) => key)

/** The plan from `actual` to `desired`. The same inputs give the same plan, whatever the order of the maps. */
export const diff = (
  desired: ReadonlyMap<string, DesiredEntry>,
  actual: ReadonlyMap<string, ActualEntry>,
): Plan => {
  const start: Array<Entry<DesiredEntry>> = []
  const restart: Array<Entry<DesiredEntry>> = []
  const keep: Array<string> = []
  for (const entry of desired) {
    const running = actual.get(entry[0])
    if (running === undefined) start.push(entry)
    else if (running.hash === entry[1].hash) keep.push(entry[0])
    else restart.push(entry)
  }
  return {
    stop: keysOf([...actual].filter(([key]) => !desired.has(key)).toSorted(childrenFirst)),
    restart: keysOf(restart.toSorted(parentsFirst)),
    start: keysOf(start.toSorted(parentsFirst)),
    keep: keep.toSorted(byKey),
  }
}

/**
 * What `pnpm graph --live` prints: the status of a running engine, or one instance's explanation, as text for people. Reads
 * from the inspector of `inspector.ts`; the text is a pure function of its answer.
 */
import type { EngineStatus, Explanation, InstanceStatus } from "../protocol/InstanceStatus.ts"

/** Instances listed at most; the ones in trouble come first. */
const maxListed = 40

/** Rows of cells as aligned columns. */
const aligned = (rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => {
  const widths = rows.reduce<ReadonlyArray<number>>(
    (known, row) => row.map((cell, column) => Math.max(known[column] ?? 0, cell.length)),
    [],
  )
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  )
}

const at = (millis: number | null): string => (millis === null ? "" : new Date(millis).toISOString())

const trouble = (instance: InstanceStatus): number =>
  (instance.error === null ? 0 : 4) + (instance.state === "Live" ? 0 : 2) + (instance.desired ? 0 : 1)

const instanceRow = (instance: InstanceStatus): ReadonlyArray<string> => [
  instance.key,
  instance.state,
  `${instance.rows}`,
  `${instance.leases}`,
  instance.slot ? "open" : "",
  instance.desired ? "" : "kept",
  instance.error === null ? "" : `${instance.error.reason}: ${instance.error.message}`,
  instance.nextAttemptAt === null ? "" : `again at ${at(instance.nextAttemptAt)}`,
]

/** The state of an engine. */
export const liveText = (status: EngineStatus): string => {
  const { connections, progress } = status
  const instances = Object.values(status.instances).toSorted(
    (left, right) => trouble(right) - trouble(left) || (left.key < right.key ? -1 : 1),
  )
  const more = instances.length - maxListed
  return [
    `graph ${status.graph}: ${status.state}${status.pauseReasons.length === 0 ? "" : `, paused (${status.pauseReasons.join(", ")})`}`,
    `${progress.live} of ${progress.instances} instances live, ${progress.complete} complete; ${progress.rows} rows, ${progress.bytes} bytes in ${progress.requests} requests`,
    `connections ${connections.open} of ${connections.max} open, ${connections.waiting} waiting`,
    "",
    ...aligned([
      ["node", "table", "state", "live", "rows", "error"],
      ...Object.values(status.nodes).map((node) => [
        node.node,
        node.table,
        node.state,
        `${node.live}/${node.instances}`,
        `${node.rows}`,
        node.error === null ? "" : `${node.error.reason}: ${node.error.message}`,
      ]),
    ]),
    "",
    ...aligned([
      ["instance", "state", "rows", "leases", "slot", "", "error", ""],
      ...instances.slice(0, maxListed).map(instanceRow),
    ]),
    ...(more > 0 ? [`and ${more} more; --json prints all`] : []),
  ].join("\n")
}

/** One instance, and what became of it. */
export const explanationText = (explanation: Explanation): string =>
  [
    `${explanation.key}: ${explanation.status?.state ?? "not here"}`,
    ...explanation.why.map((sentence) => `  why    ${sentence}`),
    ...(explanation.waitingFor === null ? [] : [`  waits  for ${explanation.waitingFor}`]),
    ...(explanation.next === null ? [] : [`  next   ${explanation.next}`]),
    ...(explanation.status?.error == null
      ? []
      : [`  error  ${explanation.status.error.reason}: ${explanation.status.error.message}`]),
    ...explanation.journal.map((entry) => `  ${at(entry.at)}  ${entry.event}  ${entry.detail}`.trimEnd()),
  ].join("\n")

/** Asks the inspector at `url`. Throws a sentence when there is none, or when it refuses. */
const ask = async (url: URL): Promise<unknown> => {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) }).catch((cause: unknown) => {
    throw new Error(`nothing answers at ${url.origin}; start one with serveInspector(engine, { port })`, {
      cause,
    })
  })
  const body: unknown = await response.json()
  if (!response.ok) throw new Error(`${url.origin} answered ${response.status}: ${JSON.stringify(body)}`)
  return body
}

/** The text or JSON of a running engine. */
export const showLive = async (
  address: string,
  options: { readonly key: string | null; readonly json: boolean },
): Promise<string> => {
  const path = options.key === null ? "/status" : `/explain?key=${encodeURIComponent(options.key)}`
  const answer = await ask(new URL(path, address))
  if (options.json) return JSON.stringify(answer, null, 2)
  return options.key === null ? liveText(answer as EngineStatus) : explanationText(answer as Explanation)
}

/**
 * The text of an anonymised bug report: what the engine is and does, with every value that may name somebody replaced by an
 * alias. Pure, so that what leaves a user's browser is tested.
 */
import type { EngineStatus, InstanceStatus, JournalEntry, RequestEntry } from "@espalier/engine/protocol"
import { countStates, formatBytes, formatTime } from "./format.ts"
import type { Redactor } from "./redact.ts"
import { requestWord } from "./waterfall.ts"

/** Most lines of each part: a report is read by a person. */
export const reportLines = { instances: 60, journal: 120, requests: 40 } as const

export interface ReportParts {
  readonly graph: string
  readonly status: EngineStatus | null
  readonly phase: string
  readonly isLeader: boolean
  readonly journal: ReadonlyArray<JournalEntry>
  readonly requests: ReadonlyArray<RequestEntry>
  /** The instance it is about; null for the whole graph. */
  readonly about: InstanceStatus | null
  readonly browser: string
  readonly at: number
}

const instanceLine = (one: InstanceStatus, redact: Redactor): string => {
  const error = one.error === null ? "" : `, ${one.error.reason}: ${redact.text(one.error.message)}`
  const flags = [one.slot ? "slot" : "", one.desired ? "" : "kept", ...one.pauseReasons].filter(Boolean)
  return (
    `- ${redact.text(one.key)} (${one.node}): ${one.state}, attempt ${one.attempt}, ${one.rows} rows, ` +
    `${formatBytes(one.bytes)}, ${one.requests} requests, offset ${one.offset ?? "none"}` +
    `${flags.length > 0 ? `, ${flags.join(", ")}` : ""}${error}`
  )
}

const section = (title: string, lines: ReadonlyArray<string>): string =>
  lines.length === 0 ? "" : `\n## ${title}\n\n${lines.join("\n")}\n`

/** Markdown. Nothing in it names a person, a row or a server. */
export const bugReport = (parts: ReportParts, redact: Redactor): string => {
  const { status, about } = parts
  const all = Object.values(status?.instances ?? {})
  const isTold = (key: string | null): boolean => about === null || key === about.key || key === null
  const shown = about === null ? all.filter((one) => one.state !== "Live") : [about]
  const counts = countStates(all).map(({ state, count }) => `${count} ${state}`)
  const connections = status?.connections
  return [
    `# Sync report: ${parts.graph}\n`,
    `- at ${new Date(parts.at).toISOString()}, ${parts.isLeader ? "leader" : "follower"}, host ${redact.text(parts.phase)}`,
    `- ${status?.state ?? "no status"}; ${counts.join(", ") || "no instances"}`,
    `- connections ${connections?.open ?? 0} of ${connections?.max ?? 0}, ${connections?.waiting ?? 0} waiting`,
    `- held: ${status?.pauseReasons.join(", ") || "no"}`,
    `- ${parts.browser}`,
    section(
      about === null ? "Instances that are not live" : "Instance",
      shown.slice(0, reportLines.instances).map((one) => instanceLine(one, redact)),
    ),
    section(
      "Journal",
      parts.journal
        .filter(({ key }) => isTold(key))
        .slice(-reportLines.journal)
        .map((entry) => {
          const who = entry.key === null ? "" : ` ${redact.text(entry.key)}`
          return `- ${formatTime(entry.at)} ${entry.event}${who} ${redact.text(entry.detail)}`.trimEnd()
        }),
    ),
    section(
      "Requests",
      parts.requests
        .filter(({ key }) => isTold(key))
        .slice(-reportLines.requests)
        .map((entry) => {
          const took = entry.endedAt === null ? "open" : `${entry.endedAt - entry.startedAt} ms`
          const failure = entry.failure === null ? "" : ` ${redact.text(entry.failure)}`
          return `- ${formatTime(entry.startedAt)} ${entry.phase} ${requestWord(entry)} ${took} ${formatBytes(entry.bytes)} ${redact.text(entry.key)}${failure}`
        }),
    ),
  ].join("\n")
}

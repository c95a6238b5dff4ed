/**
 * What a person may make the engine do from the panel, each with one sentence about what came of it: commands, and copying an
 * anonymised report.
 */
import { ref } from "vue"
import type { EngineStatus, InstanceStatus } from "@espalier/engine/protocol"
import type { EngineCalls } from "@espalier/worker"
import type { Espalier } from "../injection.ts"
import type { SyncStatus } from "../useSyncStatus.ts"
import type { Redactor } from "./redact.ts"
import { bugReport } from "./report.ts"

type Command = "retry" | "refetch" | "pause" | "resume" | "evict"

export interface CommandsOptions {
  readonly espalier: Espalier
  readonly sync: SyncStatus
  readonly status: { readonly value: EngineStatus | null }
  readonly redactor: Redactor
  /** Makes the values of a status known to the redactor. */
  readonly learn: (status: EngineStatus | null) => void
  readonly now: { readonly value: number }
  readonly showKey: (key: string) => string
}

const textOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

export const useCommands = (options: CommandsOptions) => {
  const { espalier } = options
  const message = ref("")
  const failed = ref(false)
  const say = (text: string, isFailure: boolean): void => {
    message.value = text
    failed.value = isFailure
  }
  const run = async <Name extends Command>(
    name: Name,
    subject: string,
    ...args: Parameters<EngineCalls[Name]>
  ) => {
    const client = espalier.client.value
    const who = options.showKey(subject)
    if (client === null) return say(`Cannot ${name}: no engine is connected.`, true)
    try {
      const done = await client.call(name, ...args)
      say(done ? `Asked to ${name} ${who}.` : `Nothing to ${name}: ${who} is not known to the engine.`, !done)
    } catch (cause) {
      say(`Could not ${name} ${who}: ${textOf(cause)}`, true)
    }
  }
  /** Puts an anonymised report into the clipboard: of one instance, or of the graph. */
  const copyReport = async (about: InstanceStatus | null): Promise<void> => {
    const client = espalier.client.value
    if (client === null) return say("Cannot report: no engine is connected.", true)
    try {
      const [journal, requests] = await Promise.all([client.call("journal"), client.call("requests")])
      const phase = options.sync.phase.value
      options.learn(options.status.value)
      const text = bugReport(
        {
          graph: espalier.graph.name,
          status: options.status.value,
          phase: phase?.phase === "failed" ? `failed: ${phase.message}` : (phase?.phase ?? "none"),
          isLeader: options.sync.isLeader.value,
          journal,
          requests,
          about,
          browser: navigator.userAgent,
          at: options.now.value,
        },
        options.redactor,
      )
      await navigator.clipboard.writeText(text)
      say("An anonymised report is in the clipboard.", false)
    } catch (cause) {
      say(`Could not copy the report: ${textOf(cause)}`, true)
    }
  }
  return { message, failed, say, run, copyReport }
}

/**
 * State of one open panel: what is filtered, selected and focused, and the commands it may send. Knows
 * nothing of markup. Reads the engine only through the composables, so the panel is also a test of them.
 */
import { computed, onScopeDispose, ref, shallowRef, watch } from "vue"
import type { InstanceStatus, StateName } from "@espalier/engine/protocol"
import type { EngineCalls } from "@espalier/worker"
import { useEspalier, type NameOption } from "../injection.ts"
import { useExplain } from "../useExplain.ts"
import { useJournal } from "../useJournal.ts"
import { useSyncStatus } from "../useSyncStatus.ts"
import { countStates, groupInstances, matchesEntry, matchesFilter, plural, shortKey } from "./format.ts"

export type PanelTab = "instances" | "journal"

/** How often countdowns move. */
export const clockIntervalMillis = 1_000

/** Most journal lines shown at once; the filter reaches all of them. */
export const journalLinesShown = 300

type Command = "retry" | "refetch" | "pause" | "resume"

const useClock = () => {
  const now = ref(Date.now())
  const timer = setInterval(() => (now.value = Date.now()), clockIntervalMillis)
  onScopeDispose(() => clearInterval(timer))
  return now
}

/** Sends commands and says in one sentence what came of them. */
const useCommands = (options: NameOption) => {
  const espalier = useEspalier(options)
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
    const who = shortKey(subject)
    if (client === null) return say(`Cannot ${name}: no engine is connected.`, true)
    try {
      const done = await client.call(name, ...args)
      say(done ? `Asked to ${name} ${who}.` : `Nothing to ${name}: ${who} is not known to the engine.`, !done)
    } catch (cause) {
      say(`Could not ${name} ${who}: ${cause instanceof Error ? cause.message : String(cause)}`, true)
    }
  }
  return { message, failed, say, run }
}

/** State of the panel; lives while it is open. */
export const usePanel = (options: NameOption) => {
  const espalier = useEspalier(options)
  const sync = useSyncStatus(options)
  const tab = ref<PanelTab>("instances")
  const filter = ref("")
  const stateFilter = ref<StateName | null>(null)
  const selectedKey = ref<string | null>(null)
  const collapsed = shallowRef<ReadonlySet<string>>(new Set<string>())

  const instances = computed<ReadonlyArray<InstanceStatus>>(() =>
    Object.values(espalier.status.value?.instances ?? {}),
  )
  const keep = (instance: InstanceStatus): boolean =>
    (stateFilter.value === null || instance.state === stateFilter.value) &&
    matchesFilter(instance, filter.value)
  const filtering = computed(() => filter.value.trim() !== "" || stateFilter.value !== null)
  const groups = computed(() => {
    const all = groupInstances(espalier.graph, espalier.status.value, keep)
    return filtering.value ? all.filter((group) => group.instances.length > 0) : all
  })
  const shown = computed(() => groups.value.reduce((sum, group) => sum + group.instances.length, 0))
  const selected = computed(() => instances.value.find((one) => one.key === selectedKey.value) ?? null)
  const counts = computed(() => countStates(instances.value))
  // A state nobody is in any more has no chip: a filter on it could not be taken back.
  watch(counts, (now) => {
    if (!now.some((one) => one.state === stateFilter.value)) stateFilter.value = null
  })
  const explain = useExplain(selectedKey, options)
  const journal = useJournal({ ...options, when: () => tab.value === "journal" })
  const entries = computed(() => {
    const kept = journal.entries.value.filter((entry) => matchesEntry(entry, filter.value))
    return kept.slice(-journalLinesShown).reverse()
  })

  const toggleGroup = (node: string, open?: boolean): void => {
    const next = new Set(collapsed.value)
    if (open ?? next.has(node)) next.delete(node)
    else next.add(node)
    collapsed.value = next
  }
  const commands = useCommands(options)
  // Nothing may stay that names the former user's instances.
  const forget = (): void => {
    selectedKey.value = null
    commands.say("", false)
  }
  watch(espalier.client, forget, { flush: "sync" })
  const summary = computed(() =>
    filtering.value
      ? `${shown.value} of ${plural(instances.value.length, "instance")}`
      : plural(instances.value.length, "instance"),
  )
  const isPaused = computed(() => sync.pauseReasons.value.includes("manual"))
  return {
    espalier,
    sync,
    now: useClock(),
    tab,
    filter,
    stateFilter,
    filtering,
    groups,
    shown,
    instances,
    counts,
    summary,
    selectedKey,
    selected,
    collapsed,
    toggleGroup,
    explain,
    journal,
    entries,
    commands,
    isPaused,
  }
}

export type Panel = ReturnType<typeof usePanel>

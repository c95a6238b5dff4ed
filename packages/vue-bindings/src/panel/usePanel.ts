/**
 * State of one open panel: what is filtered, selected and shown, at what moment, and whether values are hidden. Knows nothing of
 * markup. Reads the engine only through the client and the composables, so the panel is also a test of them.
 */
import { computed, onScopeDispose, ref, shallowRef, watch } from "vue"
import type {
  EngineStatus,
  InstanceStatus,
  JournalEntry,
  RequestEntry,
  StateName,
} from "@espalier/engine/protocol"
import { useEspalier, type NameOption } from "../injection.ts"
import { useExplain } from "../useExplain.ts"
import { useSyncStatus } from "../useSyncStatus.ts"
import type { FaultControl } from "./faults.ts"
import { countStates, groupInstances, matchesFilter, plural, shortKey } from "./format.ts"
import { instancesAt } from "./history.ts"
import { makeRedactor } from "./redact.ts"
import { useSampled } from "./sampled.ts"
import { useCommands } from "./useCommands.ts"
import { usePanelCall } from "./usePanelCall.ts"

export type PanelTab =
  | "instances"
  | "graph"
  | "timeline"
  | "network"
  | "rows"
  | "storage"
  | "console"
  | "faults"

/** How often countdowns move. */
export const clockIntervalMillis = 1_000

/** Beyond this many instances the panel follows the engine at a pace instead of at once. */
export const instancesFollowedAtOnce = 200
/** That pace. */
export const paceMillis = 250

export interface PanelOptions extends NameOption {
  /** Hides binding values, keys' values and rows. */
  readonly redact: boolean
  readonly faults: FaultControl | null
}

const useClock = () => {
  const now = ref(Date.now())
  const timer = setInterval(() => (now.value = Date.now()), clockIntervalMillis)
  onScopeDispose(() => clearInterval(timer))
  return now
}

/** Sampled status, and texts that hide what they must. */
const useShown = (options: PanelOptions) => {
  const espalier = useEspalier(options)
  const status = useSampled<EngineStatus | null>(() => espalier.status.value, {
    pauseMillis: (value) =>
      Object.keys(value?.instances ?? {}).length > instancesFollowedAtOnce ? paceMillis : 0,
    // Nothing may stay that names the former user's instances.
    isUrgent: (next, shown) => next === null || shown === null,
  })
  const isHiding = ref(options.redact)
  const redactor = makeRedactor()
  const learn = (now: EngineStatus | null): void => {
    redactor.learn(Object.values(espalier.client.value?.params ?? {}))
    for (const one of Object.values(now?.instances ?? {})) redactor.learn(Object.values(one.bindings))
  }
  watch(
    [status, isHiding],
    () => {
      if (isHiding.value) learn(status.value)
    },
    { immediate: true, flush: "sync" },
  )
  /** A text as it may be shown. */
  const show = (text: string): string => (isHiding.value ? redactor.text(text) : text)
  return {
    espalier,
    status,
    isHiding,
    redactor,
    learn,
    show,
    showKey: (key: string) => show(shortKeyIf(key, isHiding.value)),
  }
}

/** Aliases are short already, and need the whole value to be found. */
const shortKeyIf = (key: string, isHiding: boolean): string => (isHiding ? key : shortKey(key))

/** The instances that are shown: of now, or of the moment travelled to. */
const useInstances = (
  status: { readonly value: EngineStatus | null },
  journal: { readonly value: ReadonlyArray<JournalEntry> },
  at: { readonly value: number | null },
) => {
  const now = computed<ReadonlyArray<InstanceStatus>>(() => Object.values(status.value?.instances ?? {}))
  const shown = computed(() =>
    at.value === null ? now.value : instancesAt(now.value, journal.value, at.value),
  )
  /** The status with those instances. */
  const shownStatus = computed<EngineStatus | null>(() =>
    status.value === null || at.value === null
      ? status.value
      : { ...status.value, instances: Object.fromEntries(shown.value.map((one) => [one.key, one])) },
  )
  return { now, shown, shownStatus }
}

/** State of the panel; lives while it is open. */
export const usePanel = (options: PanelOptions) => {
  const { espalier, status, isHiding, redactor, learn, show, showKey } = useShown(options)
  const sync = useSyncStatus(options)
  const tab = ref<PanelTab>("instances")
  const filter = ref("")
  const stateFilter = ref<StateName | null>(null)
  const selectedKey = ref<string | null>(null)
  const collapsed = shallowRef<ReadonlySet<string>>(new Set<string>())
  /** The moment travelled to; null is now. */
  const at = ref<number | null>(null)

  const needsJournal = (): boolean =>
    tab.value === "timeline" || at.value !== null || selectedKey.value !== null
  const journal = usePanelCall<ReadonlyArray<JournalEntry>>(espalier, status, {
    when: needsJournal,
    read: (client) => client.call("journal"),
    none: [],
    isSame: (left, right) => left.length === right.length && left.at(-1)?.seq === right.at(-1)?.seq,
  })
  const requests = usePanelCall<ReadonlyArray<RequestEntry>>(espalier, status, {
    when: () => tab.value === "network" || selectedKey.value !== null,
    read: (client) => client.call("requests"),
    none: [],
    isSame: () => false,
  })
  const instances = useInstances(status, journal.answer, at)
  const keep = (instance: InstanceStatus): boolean =>
    (stateFilter.value === null || instance.state === stateFilter.value) &&
    (filter.value.trim() === "" || matchesFilter(instance, filter.value))
  const filtering = computed(() => filter.value.trim() !== "" || stateFilter.value !== null)
  const groups = computed(() => {
    const all = groupInstances(espalier.graph, instances.shownStatus.value, keep)
    return filtering.value ? all.filter((group) => group.instances.length > 0) : all
  })
  const shown = computed(() => groups.value.reduce((sum, group) => sum + group.instances.length, 0))
  const selected = computed(() =>
    selectedKey.value === null ? null : (instances.shownStatus.value?.instances[selectedKey.value] ?? null),
  )
  const counts = computed(() => countStates(instances.shown.value))
  // A state nobody is in any more has no chip: a filter on it could not be taken back.
  watch(counts, (now) => {
    if (!now.some((one) => one.state === stateFilter.value)) stateFilter.value = null
  })
  const explain = useExplain(selectedKey, options)

  const toggleGroup = (node: string, open?: boolean): void => {
    const next = new Set(collapsed.value)
    if (open ?? next.has(node)) next.delete(node)
    else next.add(node)
    collapsed.value = next
  }
  /** Leads to an instance, whatever is shown now. */
  const reveal = (key: string): void => {
    filter.value = ""
    stateFilter.value = null
    tab.value = "instances"
    selectedKey.value = key
  }
  const now = useClock()
  const commands = useCommands({ espalier, sync, status, redactor, learn, now, showKey })
  // Nothing may stay that names the former user's instances.
  const forget = (): void => {
    selectedKey.value = null
    at.value = null
    commands.say("", false)
  }
  watch(espalier.client, forget, { flush: "sync" })
  const summary = computed(() =>
    filtering.value
      ? `${shown.value} of ${plural(instances.shown.value.length, "instance")}`
      : plural(instances.shown.value.length, "instance"),
  )
  const isPaused = computed(() => sync.pauseReasons.value.includes("manual"))
  return {
    espalier,
    sync,
    /** At most a few times a second where there are many instances. */
    status,
    now,
    at,
    tab,
    filter,
    stateFilter,
    filtering,
    groups,
    shown,
    instances: instances.shown,
    counts,
    summary,
    selectedKey,
    selected,
    collapsed,
    toggleGroup,
    reveal,
    explain,
    journal,
    requests,
    commands,
    isPaused,
    isHiding,
    redactor,
    show,
    showKey,
    faults: options.faults,
  }
}

export type Panel = ReturnType<typeof usePanel>

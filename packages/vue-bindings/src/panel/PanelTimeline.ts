/**
 * The journal: what the engine decided, newest first, narrowed by text, kind of event and instance. A slider takes the graph and
 * the list back to what they were at a moment. A key in a line leads to its instance.
 */
import { computed, defineComponent, h, ref, type PropType, type VNode } from "vue"
import type { JournalEntry } from "@espalier/engine/protocol"
import { button, empty, keyLink } from "./dom.ts"
import { formatTime, matchesEntry, plural } from "./format.ts"
import { journalSpan } from "./history.ts"
import { icons } from "./StateGlyph.ts"
import type { Panel } from "./usePanel.ts"

/** Most lines shown at once; the filters reach all of them. */
export const journalLinesShown = 200

const travel = (panel: Panel): VNode | null => {
  const span = journalSpan(panel.journal.answer.value)
  if (span === null) return null
  const at = panel.at.value ?? span.to
  return h("div", { class: "esp-travel" }, [
    h("label", { class: "esp-travel-label" }, [
      h("span", ["Graph as of ", h("b", panel.at.value === null ? "now" : formatTime(at))]),
      h("input", {
        type: "range",
        min: span.from,
        max: span.to,
        step: 1,
        value: at,
        "data-testid": "panel-travel",
        "aria-valuetext": panel.at.value === null ? "now" : formatTime(at),
        onInput: (event: Event) => {
          if (!(event.target instanceof HTMLInputElement)) return
          const moment = Number(event.target.value)
          panel.at.value = moment >= span.to ? null : moment
        },
      }),
    ]),
    button({
      label: "See the graph",
      describe: "See the graph at this moment",
      onClick: () => (panel.tab.value = "graph"),
    }),
  ])
}

const kindChips = (counts: ReadonlyMap<string, number>, chosen: { value: string | null }): VNode =>
  h("div", { class: "esp-chips esp-kinds", role: "group", "aria-label": "Show only one kind of event" }, [
    ...[...counts].map(([kind, count]) =>
      h(
        "button",
        {
          type: "button",
          class: "esp-chip",
          "data-tone": "busy",
          "aria-pressed": String(chosen.value === kind),
          onClick: () => (chosen.value = chosen.value === kind ? null : kind),
        },
        [h("b", String(count)), ` ${kind}`],
      ),
    ),
  ])

const line = (panel: Panel, entry: JournalEntry): VNode => {
  const { key } = entry
  const known = key !== null && panel.status.value?.instances[key] !== undefined
  const label = key === null ? "" : panel.showKey(key)
  return h("li", { key: entry.seq, "data-testid": "panel-entry" }, [
    h("time", { datetime: new Date(entry.at).toISOString() }, formatTime(entry.at)),
    h("b", entry.event),
    key === null
      ? null
      : known
        ? keyLink(label, () => panel.reveal(key), panel.show(key))
        : h("span", { class: "esp-gone esp-mono", title: panel.show(key) }, label),
    h("span", { class: "esp-entry-detail" }, panel.show(entry.detail)),
  ])
}

export const PanelTimeline = defineComponent({
  name: "EspalierPanelTimeline",
  props: { panel: { type: Object as PropType<Panel>, required: true } },
  setup(props) {
    const { panel } = props
    const kind = ref<string | null>(null)
    const matching = computed(() => {
      const filter = panel.filter.value.trim()
      const until = panel.at.value
      return panel.journal.answer.value.filter(
        (entry) => (until === null || entry.at <= until) && (filter === "" || matchesEntry(entry, filter)),
      )
    })
    const counts = computed(() => {
      const all = new Map<string, number>()
      for (const { event } of matching.value) all.set(event, (all.get(event) ?? 0) + 1)
      return new Map([...all].sort(([, left], [, right]) => right - left))
    })
    const entries = computed(() =>
      kind.value === null ? matching.value : matching.value.filter(({ event }) => event === kind.value),
    )
    const body = (): VNode => {
      const { error, answered } = panel.journal
      if (error.value !== null) {
        return empty("The journal could not be read.", ` ${panel.show(error.value.message)}`, "alert")
      }
      if (!answered.value) return empty("Reading the journal…")
      if (entries.value.length === 0) {
        return panel.filter.value.trim() !== "" || kind.value !== null
          ? empty("No entry matches the filter.")
          : empty("Nothing has happened yet.")
      }
      const newest = entries.value.slice(-journalLinesShown).reverse()
      const more = entries.value.length - newest.length
      return h(
        "div",
        { class: "esp-journal", tabindex: 0, role: "region", "aria-label": "Journal, newest first" },
        [
          h(
            "ol",
            newest.map((entry) => line(panel, entry)),
          ),
          more > 0
            ? h("p", { class: "esp-more" }, `${plural(more, "older line")}: narrow the filter to see them.`)
            : null,
        ],
      )
    }
    return () =>
      h("div", { class: "esp-view" }, [
        h("div", { class: "esp-view-head" }, [
          travel(panel),
          counts.value.size > 0 ? kindChips(counts.value, kind) : null,
        ]),
        body(),
      ])
  },
})

/** Says that the panel shows the past, and the way back. */
export const travelNotice = (panel: Panel): VNode | null =>
  panel.at.value === null
    ? null
    : h("p", { class: "esp-notice esp-past", "data-tone": "busy", role: "status" }, [
        h("span", `States as of ${formatTime(panel.at.value)}; rows and figures are of now.`),
        button({
          label: "Back to now",
          icon: icons.play,
          testId: "panel-now",
          onClick: () => (panel.at.value = null),
        }),
      ])

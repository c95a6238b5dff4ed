/**
 * The journal: what the engine decided, newest first. A key in it leads to its instance.
 */
import { defineComponent, h, type PropType, type VNode } from "vue"
import { formatTime, shortKey } from "./format.ts"
import type { Panel } from "./usePanel.ts"

export const PanelJournal = defineComponent({
  name: "EspalierPanelJournal",
  props: { panel: { type: Object as PropType<Panel>, required: true } },
  setup(props) {
    const { panel } = props
    const show = (key: string): void => {
      panel.filter.value = ""
      panel.stateFilter.value = null
      panel.tab.value = "instances"
      panel.selectedKey.value = key
    }
    const line = (entry: Panel["entries"]["value"][number]): VNode => {
      const { key } = entry
      const known = key !== null && panel.espalier.status.value?.instances[key] !== undefined
      return h("li", { key: entry.seq, "data-testid": "panel-entry" }, [
        h("time", formatTime(entry.at)),
        h("b", entry.event),
        key === null
          ? null
          : known
            ? h(
                "button",
                { type: "button", class: "esp-link esp-mono", title: key, onClick: () => show(key) },
                shortKey(key),
              )
            : h("span", { class: "esp-gone esp-mono", title: key }, shortKey(key)),
        h("span", { class: "esp-entry-detail" }, entry.detail),
      ])
    }
    return () => {
      const entries = panel.entries.value
      const { error, pending } = panel.journal
      if (error.value !== null)
        return h(
          "p",
          { class: "esp-empty", role: "alert" },
          `The journal could not be read: ${error.value.message}`,
        )
      if (entries.length > 0)
        return h(
          "ol",
          { class: "esp-journal", tabindex: 0, "aria-label": "Journal, newest first" },
          entries.map(line),
        )
      const filtered = panel.filter.value.trim() !== ""
      return h(
        "p",
        { class: "esp-empty" },
        pending.value
          ? "Reading the journal…"
          : filtered
            ? "No entry matches the filter."
            : "Nothing has happened yet.",
      )
    }
  },
})

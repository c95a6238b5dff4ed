/**
 * A small badge with the graph's roll-up, for an app's header. Says the state by shape and word and announces
 * changes politely. Needs `@espalier/vue/panel.css`.
 */
import { defineComponent, h } from "vue"
import { useSyncStatus } from "../useSyncStatus.ts"
import { rollupHint, rollupLabel, rollupTone } from "./format.ts"
import { RollupGlyph } from "./StateGlyph.ts"

/** `<SyncIndicator />`; `name` picks one of several graphs. */
export const SyncIndicator = defineComponent({
  name: "SyncIndicator",
  props: { name: { type: String, default: undefined } },
  setup(props) {
    const { state } = useSyncStatus(props.name === undefined ? {} : { name: props.name })
    return () =>
      h(
        "span",
        {
          class: "esp esp-indicator",
          role: "status",
          "aria-live": "polite",
          "data-testid": "sync-status",
          "data-state": state.value,
          "data-tone": rollupTone(state.value),
          title: rollupHint(state.value),
        },
        [h(RollupGlyph, { state: state.value }), h("span", rollupLabel(state.value))],
      )
  },
})

/**
 * The debug panel: a launcher button and, while open, the docked inspector. Answers "why is this row (not)
 * here?". Needs `@espalier/vue/panel.css`; an app decides itself whether to mount it in production.
 */
import { defineComponent, h, nextTick, ref, shallowRef, Teleport, useId, watch, type PropType } from "vue"
import { defaultName } from "../injection.ts"
import { useSyncStatus } from "../useSyncStatus.ts"
import { rollupLabel, rollupTone } from "./format.ts"
import { PanelBody, type PanelSide } from "./PanelBody.ts"
import { RollupGlyph } from "./StateGlyph.ts"

/**
 * `<SyncPanel />`. `name` picks one of several graphs, `side` the edge it docks to, `inline` puts the
 * launcher where the component stands instead of the page's corner, `v-model:open` controls it from outside.
 */
export const SyncPanel = defineComponent({
  name: "SyncPanel",
  inheritAttrs: false,
  props: {
    name: { type: String, default: defaultName },
    side: { type: String as PropType<PanelSide>, default: "right" },
    inline: { type: Boolean, default: false },
    open: { type: Boolean, default: false },
  },
  emits: { "update:open": (_open: boolean) => true },
  setup(props, { emit, attrs }) {
    const { state } = useSyncStatus({ name: props.name })
    const isOpen = ref(props.open)
    watch(
      () => props.open,
      (next) => (isOpen.value = next),
    )
    const launcher = shallowRef<HTMLElement | null>(null)
    const id = `esp-${useId()}`
    const set = (next: boolean): void => {
      isOpen.value = next
      emit("update:open", next)
      if (!next) void nextTick(() => launcher.value?.focus())
    }
    return () => [
      h(
        "button",
        {
          ...attrs,
          ref: launcher,
          type: "button",
          class: ["esp esp-launcher", attrs["class"]],
          "data-inline": props.inline ? "" : undefined,
          "data-side": props.side,
          "data-tone": rollupTone(state.value),
          "data-testid": "panel-open",
          "aria-expanded": String(isOpen.value),
          "aria-controls": isOpen.value ? id : undefined,
          "aria-label": `Sync panel, ${rollupLabel(state.value)}`,
          onClick: () => set(!isOpen.value),
        },
        [h(RollupGlyph, { state: state.value }), "Sync"],
      ),
      isOpen.value
        ? h(Teleport, { to: "body" }, [
            h(PanelBody, { name: props.name, side: props.side, id, onClose: () => set(false) }),
          ])
        : null,
    ]
  },
})

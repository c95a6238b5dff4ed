/**
 * The debug panel: a launcher button and, while open, the docked inspector. Answers "why is this row (not)
 * here?". Needs `@espalier/vue/panel.css`. In a production build it draws nothing unless the app says `production`, and then hides
 * values unless the app says `:redact="false"`.
 */
import { defineComponent, h, nextTick, ref, shallowRef, Teleport, useId, watch, type PropType } from "vue"
import { defaultName } from "../injection.ts"
import { useSyncStatus } from "../useSyncStatus.ts"
import { rollupLabel, rollupTone } from "./format.ts"
import type { FaultControl } from "./faults.ts"
import { PanelBody, type PanelSide } from "./PanelBody.ts"
import { isProduction } from "./production.ts"
import { RollupGlyph } from "./StateGlyph.ts"

/**
 * `<SyncPanel />`. `name` picks one of several graphs, `side` the edge it docks to, `inline` puts the
 * launcher where the component stands instead of the page's corner, `v-model:open` controls it from outside.
 * `production` lets it appear in a production build; `redact` replaces ids, binding values and rows by aliases (default: in
 * production); `faults` offers breaking the development server on purpose.
 */
export const SyncPanel = defineComponent({
  name: "SyncPanel",
  inheritAttrs: false,
  props: {
    name: { type: String, default: defaultName },
    side: { type: String as PropType<PanelSide>, default: "right" },
    inline: { type: Boolean, default: false },
    open: { type: Boolean, default: false },
    production: { type: Boolean, default: false },
    redact: { type: Boolean as PropType<boolean | undefined>, default: undefined },
    faults: { type: Object as PropType<FaultControl>, default: undefined },
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
    if (isProduction() && !props.production) return () => null
    const body = () =>
      h(PanelBody, {
        name: props.name,
        side: props.side,
        id,
        redact: props.redact ?? isProduction(),
        ...(props.faults === undefined ? {} : { faults: props.faults }),
        onClose: () => set(false),
      })
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
      isOpen.value ? h(Teleport, { to: "body" }, [body()]) : null,
    ]
  },
})

/**
 * The open panel: a docked, non-modal inspector (a bottom sheet on a phone). Takes the focus when it opens;
 * Escape steps back (details, filter, panel) one at a time. Made by `SyncPanel` only while open, so a closed
 * panel costs nothing.
 */
import { defineComponent, h, nextTick, onMounted, ref, shallowRef, type PropType, type VNode } from "vue"
import { Icon, icons } from "./StateGlyph.ts"
import { PanelDetail } from "./PanelDetail.ts"
import { PanelHeader } from "./PanelHeader.ts"
import { PanelJournal } from "./PanelJournal.ts"
import { PanelTree } from "./PanelTree.ts"
import { usePanel, type Panel, type PanelTab } from "./usePanel.ts"

export type PanelSide = "left" | "right"

/** Width of the dock in CSS pixels. */
const width = { initial: 520, least: 360, most: 1200, step: 32 } as const

const tabs: ReadonlyArray<{ readonly id: PanelTab; readonly label: string }> = [
  { id: "instances", label: "Instances" },
  { id: "journal", label: "Journal" },
]

const tabList = (panel: Panel, uid: string): VNode => {
  const onKeydown = (event: KeyboardEvent): void => {
    const steps: Readonly<Record<string, number>> = { ArrowRight: 1, ArrowLeft: -1 }
    const step = steps[event.key]
    if (step === undefined || !(event.currentTarget instanceof HTMLElement)) return
    const list = event.currentTarget
    const at = tabs.findIndex((tab) => tab.id === panel.tab.value)
    panel.tab.value = tabs[(at + step + tabs.length) % tabs.length]?.id ?? "instances"
    void nextTick(() => list.querySelector<HTMLElement>('[aria-selected="true"]')?.focus())
  }
  const tab = ({ id, label }: (typeof tabs)[number]): VNode => {
    const selected = panel.tab.value === id
    return h(
      "button",
      {
        type: "button",
        role: "tab",
        id: `${uid}-tab-${id}`,
        "aria-selected": String(selected),
        "aria-controls": `${uid}-body`,
        tabindex: selected ? 0 : -1,
        onClick: () => (panel.tab.value = id),
      },
      label,
    )
  }
  return h("div", { class: "esp-tabs", role: "tablist", "aria-label": "Views", onKeydown }, tabs.map(tab))
}

const toolbar = (panel: Panel, uid: string): VNode =>
  h("div", { class: "esp-toolbar" }, [
    tabList(panel, uid),
    h("label", { class: "esp-filter" }, [
      h(Icon, { d: icons.search }),
      h("span", { class: "esp-sr" }, "Filter"),
      h("input", {
        type: "search",
        placeholder: panel.tab.value === "journal" ? "Filter events" : "Filter instances",
        autocomplete: "off",
        spellcheck: false,
        "data-testid": "panel-filter",
        value: panel.filter.value,
        onInput: (event: Event) => {
          if (event.target instanceof HTMLInputElement) panel.filter.value = event.target.value
        },
      }),
    ]),
  ])

const instancesView = (panel: Panel): Array<VNode> => {
  if (panel.espalier.client.value === null) {
    return [
      h("p", { class: "esp-empty" }, [
        h("b", "No engine is connected."),
        " It starts when somebody signs in.",
      ]),
    ]
  }
  if (panel.filtering.value && panel.shown.value === 0) {
    return [
      h("p", { class: "esp-empty" }, [h("b", "No instance matches."), " Clear the filter to see them all."]),
    ]
  }
  return [h(PanelTree, { panel }), ...(panel.selected.value === null ? [] : [h(PanelDetail, { panel })])]
}

/** The edge that makes the dock wider or narrower, by pointer and by arrow keys. */
const resizer = (side: PanelSide, size: { value: number }): VNode => {
  const set = (next: number): void =>
    void (size.value = Math.max(width.least, Math.min(width.most, Math.round(next))))
  const grow = side === "right" ? "ArrowLeft" : "ArrowRight"
  const shrink = side === "right" ? "ArrowRight" : "ArrowLeft"
  const drag = (event: PointerEvent): void => {
    if (event.buttons === 0) return
    set(side === "right" ? globalThis.innerWidth - event.clientX : event.clientX)
  }
  return h("div", {
    class: "esp-resizer",
    role: "separator",
    tabindex: 0,
    "aria-orientation": "vertical",
    "aria-label": "Width of the panel",
    "aria-valuenow": size.value,
    "aria-valuemin": width.least,
    "aria-valuemax": width.most,
    onPointerdown: (event: PointerEvent) => {
      if (event.currentTarget instanceof Element) event.currentTarget.setPointerCapture(event.pointerId)
      event.preventDefault()
    },
    onPointermove: drag,
    onKeydown: (event: KeyboardEvent) => {
      if (event.key !== grow && event.key !== shrink) return
      event.preventDefault()
      set(size.value + (event.key === grow ? width.step : -width.step))
    },
  })
}

export const PanelBody = defineComponent({
  name: "EspalierPanelBody",
  props: {
    name: { type: String, required: true },
    side: { type: String as PropType<PanelSide>, required: true },
    id: { type: String, required: true },
  },
  emits: { close: () => true },
  setup(props, { emit }) {
    const panel = usePanel({ name: props.name })
    const size = ref<number>(width.initial)
    const root = shallowRef<HTMLElement | null>(null)
    onMounted(() => root.value?.focus())
    const onKeydown = (event: KeyboardEvent): void => {
      if (event.key !== "Escape" || event.defaultPrevented) return
      event.preventDefault()
      event.stopPropagation()
      if (panel.selectedKey.value !== null && panel.tab.value === "instances") panel.selectedKey.value = null
      else if (panel.filter.value !== "") panel.filter.value = ""
      else emit("close")
    }
    return () => {
      const journal = panel.tab.value === "journal"
      const { message, failed } = panel.commands
      return h(
        "aside",
        {
          ref: root,
          id: props.id,
          class: "esp esp-dock",
          "data-side": props.side,
          "data-testid": "panel",
          "aria-labelledby": `esp-title-${props.name}`,
          tabindex: -1,
          style: { "--esp-width": `${size.value}px` },
          onKeydown,
        },
        [
          resizer(props.side, size),
          h(PanelHeader, { panel, onClose: () => emit("close") }),
          toolbar(panel, props.id),
          h(
            "div",
            {
              id: `${props.id}-body`,
              class: "esp-body",
              role: "tabpanel",
              "aria-labelledby": `${props.id}-tab-${panel.tab.value}`,
              "data-detail": panel.selected.value !== null && !journal ? "" : undefined,
            },
            journal ? [h(PanelJournal, { panel })] : instancesView(panel),
          ),
          h("footer", { class: "esp-footer" }, [
            h("span", journal ? `${panel.entries.value.length} shown` : panel.summary.value),
            h(
              "span",
              { class: "esp-message", role: "status", "data-tone": failed.value ? "bad" : "wait" },
              message.value,
            ),
          ]),
        ],
      )
    }
  },
})

/**
 * The open panel: a docked, non-modal inspector (a bottom sheet on a phone). Takes the focus when it opens;
 * Escape steps back (details, filter, panel) one at a time. Made by `SyncPanel` only while open, so a closed
 * panel costs nothing.
 */
import {
  computed,
  defineComponent,
  h,
  nextTick,
  onMounted,
  ref,
  shallowRef,
  type PropType,
  type VNode,
} from "vue"
import { empty } from "./dom.ts"
import type { FaultControl } from "./faults.ts"
import { PanelConsole } from "./PanelConsole.ts"
import { PanelDetail } from "./PanelDetail.ts"
import { PanelFaults } from "./PanelFaults.ts"
import { PanelGraph } from "./PanelGraph.ts"
import { PanelHeader } from "./PanelHeader.ts"
import { PanelNetwork } from "./PanelNetwork.ts"
import { PanelRows } from "./PanelRows.ts"
import { PanelStorage } from "./PanelStorage.ts"
import { PanelTimeline, travelNotice } from "./PanelTimeline.ts"
import { PanelTree } from "./PanelTree.ts"
import { Icon, icons } from "./StateGlyph.ts"
import { usePanel, type Panel, type PanelTab } from "./usePanel.ts"

export type PanelSide = "left" | "right"

/** Width of the dock in CSS pixels. */
const width = { initial: 560, least: 360, most: 1200, step: 32 } as const

interface TabInfo {
  readonly id: PanelTab
  readonly label: string
  /** What the text field narrows; null where it narrows nothing. */
  readonly filters: string | null
}

const tabs: ReadonlyArray<TabInfo> = [
  { id: "instances", label: "Instances", filters: "instances" },
  { id: "graph", label: "Graph", filters: "instances" },
  { id: "timeline", label: "Timeline", filters: "events" },
  { id: "network", label: "Network", filters: "requests" },
  { id: "rows", label: "Rows", filters: "rows" },
  { id: "storage", label: "Storage", filters: null },
  { id: "console", label: "SQL", filters: null },
  { id: "faults", label: "Faults", filters: null },
]

const tabsOf = (panel: Panel): ReadonlyArray<TabInfo> =>
  tabs.filter(({ id }) => id !== "faults" || panel.faults !== null)

const tabList = (panel: Panel, uid: string): VNode => {
  const shown = tabsOf(panel)
  const onKeydown = (event: KeyboardEvent): void => {
    const at = shown.findIndex((tab) => tab.id === panel.tab.value)
    const targets: Readonly<Record<string, number>> = {
      ArrowRight: (at + 1) % shown.length,
      ArrowLeft: (at - 1 + shown.length) % shown.length,
      Home: 0,
      End: shown.length - 1,
    }
    const target = Object.hasOwn(targets, event.key) ? targets[event.key] : undefined
    if (target === undefined || !(event.currentTarget instanceof HTMLElement)) return
    event.preventDefault()
    const list = event.currentTarget
    panel.tab.value = shown[target]?.id ?? "instances"
    void nextTick(() => list.querySelector<HTMLElement>('[aria-selected="true"]')?.focus())
  }
  const tab = ({ id, label }: TabInfo): VNode => {
    const selected = panel.tab.value === id
    return h(
      "button",
      {
        type: "button",
        role: "tab",
        id: `${uid}-tab-${id}`,
        "data-testid": `panel-tab-${id}`,
        "aria-selected": String(selected),
        "aria-controls": `${uid}-body`,
        tabindex: selected ? 0 : -1,
        onClick: () => (panel.tab.value = id),
      },
      label,
    )
  }
  return h("div", { class: "esp-tabs", role: "tablist", "aria-label": "Views", onKeydown }, shown.map(tab))
}

const toolbar = (panel: Panel, uid: string): VNode => {
  const filters = tabs.find(({ id }) => id === panel.tab.value)?.filters ?? null
  return h("div", { class: "esp-toolbar" }, [
    tabList(panel, uid),
    filters === null
      ? null
      : h("label", { class: "esp-filter" }, [
          h(Icon, { d: icons.search }),
          h("span", { class: "esp-sr" }, "Filter"),
          h("input", {
            type: "search",
            placeholder: `Filter ${filters}`,
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
}

const instancesView = (panel: Panel): Array<VNode> => {
  if (panel.espalier.client.value === null) {
    return [empty("No engine is connected.", " It starts when somebody signs in.")]
  }
  if (panel.filtering.value && panel.shown.value === 0) {
    return [empty("No instance matches.", " Clear the filter to see them all.")]
  }
  return [h(PanelTree, { panel }), ...(panel.selected.value === null ? [] : [h(PanelDetail, { panel })])]
}

const views: Readonly<Record<PanelTab, (panel: Panel) => Array<VNode>>> = {
  instances: instancesView,
  graph: (panel) => [h(PanelGraph, { panel })],
  timeline: (panel) => [h(PanelTimeline, { panel })],
  network: (panel) => [h(PanelNetwork, { panel })],
  rows: (panel) => [h(PanelRows, { panel })],
  storage: (panel) => [h(PanelStorage, { panel })],
  console: (panel) => [h(PanelConsole, { panel })],
  faults: (panel) => (panel.faults === null ? [] : [h(PanelFaults, { panel, control: panel.faults })]),
}

/** What concerns the whole panel: how much is shown, whether values are hidden, the report, and what a command came to. */
const footer = (panel: Panel): VNode => {
  const { message, failed } = panel.commands
  const hiding = panel.isHiding.value
  return h("footer", { class: "esp-footer" }, [
    h("span", { "data-testid": "panel-summary" }, panel.summary.value),
    h(
      "span",
      { class: "esp-message", role: "status", "data-tone": failed.value ? "bad" : "wait" },
      message.value,
    ),
    h("span", { class: "esp-footer-actions" }, [
      h(
        "button",
        {
          type: "button",
          class: "esp-quiet",
          "aria-pressed": String(hiding),
          "data-testid": "panel-hide",
          title: "Replaces ids, binding values and rows by aliases",
          onClick: () => (panel.isHiding.value = !hiding),
        },
        [h(Icon, { d: icons.eye }), hiding ? "Values hidden" : "Hide values"],
      ),
      h(
        "button",
        {
          type: "button",
          class: "esp-quiet",
          "data-testid": "panel-report",
          title: "Copy an anonymised report",
          onClick: () => void panel.commands.copyReport(null),
        },
        [h(Icon, { d: icons.copy }), "Report"],
      ),
    ]),
  ])
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
    redact: { type: Boolean, required: true },
    faults: { type: Object as PropType<FaultControl>, default: undefined },
  },
  emits: { close: () => true },
  setup(props, { emit }) {
    const panel = usePanel({ name: props.name, redact: props.redact, faults: props.faults ?? null })
    const size = ref<number>(width.initial)
    const root = shallowRef<HTMLElement | null>(null)
    onMounted(() => root.value?.focus())
    const hasDetail = computed(() => panel.selected.value !== null && panel.tab.value === "instances")
    const onKeydown = (event: KeyboardEvent): void => {
      if (event.key !== "Escape" || event.defaultPrevented) return
      event.preventDefault()
      event.stopPropagation()
      if (hasDetail.value) panel.selectedKey.value = null
      else if (panel.filter.value !== "") panel.filter.value = ""
      else if (panel.at.value !== null) panel.at.value = null
      else emit("close")
    }
    const frame = () => ({
      ref: root,
      id: props.id,
      class: "esp esp-dock",
      "data-side": props.side,
      "data-testid": "panel",
      "aria-labelledby": `esp-title-${props.name}`,
      tabindex: -1,
      style: { "--esp-width": `${size.value}px` },
      onKeydown,
    })
    const body = (): VNode =>
      h(
        "div",
        {
          id: `${props.id}-body`,
          class: "esp-body",
          role: "tabpanel",
          "aria-labelledby": `${props.id}-tab-${panel.tab.value}`,
          "data-view": panel.tab.value,
          "data-detail": hasDetail.value ? "" : undefined,
        },
        views[panel.tab.value](panel),
      )
    return () =>
      h("aside", frame(), [
        resizer(props.side, size),
        h(PanelHeader, { panel, onClose: () => emit("close") }),
        toolbar(panel, props.id),
        travelNotice(panel),
        body(),
        footer(panel),
      ])
  },
})

/**
 * The graph, laid out: each node a card with its roll-up and its instances. Few instances stand there one by one; many are
 * grouped by state, so that a thousand of them are as quick to draw and to read as ten. A click leads to the instance, or to
 * the list of that node in that state.
 */
import {
  computed,
  defineComponent,
  h,
  onBeforeUnmount,
  onMounted,
  ref,
  shallowRef,
  type PropType,
  type VNode,
} from "vue"
import { empty } from "./dom.ts"
import {
  countStates,
  formatCount,
  plural,
  rollupLabel,
  rollupTone,
  stateTone,
  type NodeGroup,
} from "./format.ts"
import { boxHeight, layoutGraph, type Box } from "./layout.ts"
import { RollupGlyph, StateGlyph } from "./StateGlyph.ts"
import type { Panel } from "./usePanel.ts"

/** More instances of one node than this are shown as counts by state. */
export const instancesShownApart = 4

/** Width that is laid out for where nothing can be measured. */
const fallbackWidth = 480

interface Chip {
  readonly id: string
  readonly vnode: VNode
}

const instanceChip = (panel: Panel, one: NodeGroup["instances"][number]): Chip => {
  const label = panel.showKey(one.key)
  return {
    id: one.key,
    vnode: h(
      "button",
      {
        type: "button",
        key: one.key,
        class: "esp-node-chip",
        "data-tone": stateTone(one.state),
        "data-testid": "panel-graph-instance",
        title: panel.show(one.key),
        onClick: () => panel.reveal(one.key),
      },
      [
        h(StateGlyph, { state: one.state }),
        h("span", { class: "esp-key" }, label),
        h("span", { class: "esp-chip-state" }, one.state),
      ],
    ),
  }
}

const stateChips = (panel: Panel, group: NodeGroup): ReadonlyArray<Chip> =>
  countStates(group.instances).map(({ state, count }) => ({
    id: state,
    vnode: h(
      "button",
      {
        type: "button",
        key: state,
        class: "esp-node-chip",
        "data-tone": stateTone(state),
        "data-testid": "panel-graph-group",
        onClick: () => {
          panel.filter.value = group.node
          panel.stateFilter.value = state
          panel.tab.value = "instances"
        },
      },
      [h(StateGlyph, { state }), h("b", formatCount(count)), h("span", { class: "esp-chip-state" }, state)],
    ),
  }))

const card = (panel: Panel, group: NodeGroup, box: Box, chips: ReadonlyArray<Chip>): VNode =>
  h(
    "li",
    {
      key: group.node,
      class: "esp-node-card",
      "data-tone": rollupTone(group.state),
      "data-testid": "panel-graph-node",
      "data-node": group.node,
      style: {
        transform: `translate(${box.x}px, ${box.y}px)`,
        width: `${box.width}px`,
        height: `${box.height}px`,
      },
    },
    [
      h("p", { class: "esp-node-title" }, [
        h("b", { title: group.table }, group.node),
        h("span", { class: "esp-node-state" }, [
          h(RollupGlyph, { state: group.state }),
          rollupLabel(group.state),
        ]),
      ]),
      h(
        "p",
        { class: "esp-node-sub" },
        group.total === 0
          ? "nobody asks for it"
          : `${plural(group.total, "instance")}, ${plural(group.rows, "row")}`,
      ),
      ...(chips.length === 0
        ? []
        : [
            h(
              "div",
              { class: "esp-node-chips" },
              chips.map(({ vnode }) => vnode),
            ),
          ]),
    ],
  )

/** Follows the width of an element. */
const useWidth = () => {
  const element = shallowRef<HTMLElement | null>(null)
  const width = ref(fallbackWidth)
  let observer: ResizeObserver | null = null
  onMounted(() => {
    if (element.value === null || typeof ResizeObserver === "undefined") return
    observer = new ResizeObserver(([entry]) => {
      const measured = Math.round(entry?.contentRect.width ?? 0)
      if (measured > 0) width.value = measured
    })
    observer.observe(element.value)
  })
  onBeforeUnmount(() => observer?.disconnect())
  return { element, width }
}

export const PanelGraph = defineComponent({
  name: "EspalierPanelGraph",
  props: { panel: { type: Object as PropType<Panel>, required: true } },
  setup(props) {
    const { panel } = props
    const { element, width } = useWidth()
    const cards = computed(() =>
      panel.groups.value.map((group) => ({
        group,
        chips:
          group.instances.length > instancesShownApart
            ? stateChips(panel, group)
            : group.instances.map((one) => instanceChip(panel, one)),
      })),
    )
    /** Only heights move boxes, so a change of state alone lays nothing out anew. */
    const heights = computed<string>(() =>
      JSON.stringify(cards.value.map(({ group, chips }) => [group.node, boxHeight(chips.length)])),
    )
    const layout = computed(() =>
      layoutGraph(
        panel.espalier.graph,
        new Map(JSON.parse(heights.value) as ReadonlyArray<readonly [string, number]>),
        width.value,
      ),
    )
    return () => {
      if (panel.espalier.client.value === null) {
        return empty("No engine is connected.", " It starts when somebody signs in.")
      }
      const { boxes, edges, width: drawn, height, direction } = layout.value
      const boxOf = new Map(boxes.map((box) => [box.node, box]))
      return h(
        "div",
        { ref: element, class: "esp-graph", "data-direction": direction, "data-testid": "panel-graph" },
        [
          h("div", { class: "esp-graph-plane", style: { width: `${drawn}px`, height: `${height}px` } }, [
            h(
              "svg",
              { class: "esp-edges", width: drawn, height, "aria-hidden": "true" },
              edges.map(({ from, to, path }) => h("path", { key: `${from} ${to}`, d: path })),
            ),
            h(
              "ul",
              { "aria-label": "Nodes, parents before their children" },
              cards.value.flatMap(({ group, chips }) => {
                const box = boxOf.get(group.node)
                return box === undefined ? [] : [card(panel, group, box, chips)]
              }),
            ),
          ]),
        ],
      )
    }
  },
})

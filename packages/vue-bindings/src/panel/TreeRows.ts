/**
 * The two kinds of rows of the tree: a node with its roll-up, an instance with its state. A row is told where it stands, so
 * that the tree draws only those in sight, and renders again only when its own instance changes.
 */
import { defineComponent, h, type PropType, type VNode } from "vue"
import type { InstanceStatus } from "@espalier/engine/protocol"
import { formatCount, plural, stateTone, type NodeGroup } from "./format.ts"
import { Icon, icons, RollupGlyph, StateGlyph } from "./StateGlyph.ts"

export const InstanceRow = defineComponent({
  name: "EspalierInstanceRow",
  props: {
    instance: { type: Object as PropType<InstanceStatus>, required: true },
    selected: { type: Boolean, required: true },
    tabbable: { type: Boolean, required: true },
    depth: { type: Number, required: true },
    position: { type: Number, required: true },
    size: { type: Number, required: true },
    top: { type: Number, required: true },
    label: { type: String, required: true },
    title: { type: String, required: true },
  },
  setup(props) {
    return () => {
      const { instance } = props
      return h(
        "div",
        {
          class: "esp-row esp-instance",
          role: "treeitem",
          tabindex: props.tabbable ? 0 : -1,
          "aria-level": 2,
          "aria-posinset": props.position,
          "aria-setsize": props.size,
          "aria-selected": String(props.selected),
          "data-testid": "panel-instance",
          "data-key": instance.key,
          "data-state": instance.state,
          "data-tone": stateTone(instance.state),
          "data-item": `instance:${instance.key}`,
          "data-undesired": instance.desired ? undefined : "",
          style: { "--esp-depth": String(props.depth + 1), "--esp-top": `${props.top}px` },
        },
        [
          h(StateGlyph, { state: instance.state }),
          h("span", { class: "esp-key", title: props.title }, props.label),
          instance.slot
            ? h("span", { class: "esp-slot", title: "Holds a connection" }, [
                h("span", { class: "esp-sr" }, "holds a connection"),
              ])
            : null,
          h("span", { class: "esp-rows" }, [
            formatCount(instance.rows),
            h("span", { class: "esp-sr" }, " rows"),
          ]),
          h("span", { class: "esp-state" }, instance.state),
        ],
      )
    }
  },
})

export const groupRow = (
  group: NodeGroup,
  open: boolean,
  tabbable: boolean,
  place: { readonly position: number; readonly size: number; readonly top: number },
): VNode =>
  h(
    "div",
    {
      key: `node:${group.node}`,
      class: "esp-row esp-node",
      role: "treeitem",
      tabindex: tabbable ? 0 : -1,
      "aria-level": 1,
      "aria-posinset": place.position,
      "aria-setsize": place.size,
      "aria-expanded": group.instances.length > 0 ? String(open) : undefined,
      "data-item": `node:${group.node}`,
      "data-node": group.node,
      style: { "--esp-depth": String(group.depth), "--esp-top": `${place.top}px` },
    },
    [
      h(
        "span",
        {
          class: "esp-caret",
          "data-open": open ? "" : undefined,
          "data-none": group.instances.length > 0 ? undefined : "",
        },
        [h(Icon, { d: icons.chevron })],
      ),
      h("span", { class: "esp-node-name" }, group.node),
      group.table === group.node ? null : h("span", { class: "esp-table" }, group.table),
      h("span", { class: "esp-rows" }, group.total === 0 ? "" : plural(group.rows, "row")),
      h("span", { class: "esp-live" }, [
        group.total === 0 ? "none" : `${group.live}/${group.total} live`,
        h(RollupGlyph, { state: group.state }),
      ]),
    ],
  )

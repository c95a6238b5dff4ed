/**
 * The list of nodes and their instances: an ARIA tree with one tab stop and arrow keys. A row re-renders only
 * when its own instance changes, so many instances stay cheap.
 */
import {
  computed,
  defineComponent,
  h,
  nextTick,
  ref,
  shallowRef,
  watch,
  type PropType,
  type VNode,
} from "vue"
import type { InstanceStatus } from "@espalier/engine/protocol"
import { formatCount, plural, shortKey, stateTone, type NodeGroup } from "./format.ts"
import { Icon, icons, RollupGlyph, StateGlyph } from "./StateGlyph.ts"
import type { Panel } from "./usePanel.ts"

/** A row of the tree, as the keyboard sees it. */
type Item =
  | { readonly id: string; readonly kind: "node"; readonly node: string }
  | { readonly id: string; readonly kind: "instance"; readonly node: string; readonly key: string }

const InstanceRow = defineComponent({
  name: "EspalierInstanceRow",
  props: {
    instance: { type: Object as PropType<InstanceStatus>, required: true },
    selected: { type: Boolean, required: true },
    tabbable: { type: Boolean, required: true },
    depth: { type: Number, required: true },
    position: { type: Number, required: true },
    size: { type: Number, required: true },
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
          style: { "--esp-depth": String(props.depth + 1) },
        },
        [
          h(StateGlyph, { state: instance.state }),
          h("span", { class: "esp-key", title: instance.key }, shortKey(instance.key)),
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

const groupRow = (
  group: NodeGroup,
  open: boolean,
  tabbable: boolean,
  place: { readonly position: number; readonly size: number },
): VNode =>
  h(
    "div",
    {
      class: "esp-row esp-node",
      role: "treeitem",
      tabindex: tabbable ? 0 : -1,
      "aria-level": 1,
      "aria-posinset": place.position,
      "aria-setsize": place.size,
      "aria-expanded": group.instances.length > 0 ? String(open) : undefined,
      "data-item": `node:${group.node}`,
      "data-node": group.node,
      style: { "--esp-depth": String(group.depth) },
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

/** Moves the one tab stop and the focus through the visible rows. */
const useTreeFocus = (panel: Panel, items: () => ReadonlyArray<Item>) => {
  const root = shallowRef<HTMLElement | null>(null)
  const active = ref<string | null>(null)
  const activeItem = computed(() => items().find((item) => item.id === active.value) ?? items()[0] ?? null)
  const focus = async (item: Item | undefined): Promise<void> => {
    if (item === undefined) return
    active.value = item.id
    await nextTick()
    const rows = [...(root.value?.querySelectorAll<HTMLElement>("[data-item]") ?? [])]
    rows.find((row) => row.dataset["item"] === item.id)?.focus()
  }
  const choose = (item: Item): void => {
    active.value = item.id
    if (item.kind === "node") panel.toggleGroup(item.node)
    else panel.selectedKey.value = item.key
  }
  const onKeydown = (event: KeyboardEvent): void => {
    const all = items()
    const at = activeItem.value
    if (at === null) return
    const index = all.indexOf(at)
    const isOpen = !panel.collapsed.value.has(at.node)
    const parent = all.find((item) => item.kind === "node" && item.node === at.node)
    const moves: Readonly<Record<string, () => void>> = {
      ArrowDown: () => void focus(all[index + 1]),
      ArrowUp: () => void focus(all[index - 1]),
      Home: () => void focus(all[0]),
      End: () => void focus(all.at(-1)),
      ArrowRight: () => {
        if (at.kind === "node" && !isOpen) panel.toggleGroup(at.node, true)
        else if (at.kind === "node" && all[index + 1]?.node === at.node) void focus(all[index + 1])
      },
      ArrowLeft: () => {
        if (at.kind === "instance") void focus(parent)
        else if (isOpen) panel.toggleGroup(at.node, false)
      },
      Enter: () => choose(at),
      " ": () => choose(at),
    }
    const move =
      Object.hasOwn(moves, event.key) && !event.ctrlKey && !event.metaKey && !event.altKey
        ? moves[event.key]
        : undefined
    if (move === undefined) return
    event.preventDefault()
    move()
  }
  /** The row an event happened in, when its focus or click concerns the tree. */
  const itemOf = (event: Event): Item | undefined => {
    const row = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-item]") : null
    return row === null ? undefined : items().find((item) => item.id === row.dataset["item"])
  }
  const onClick = (event: Event): void => {
    const item = itemOf(event)
    if (item !== undefined) choose(item)
  }
  const onFocusin = (event: Event): void => {
    const item = itemOf(event)
    if (item !== undefined) active.value = item.id
  }
  /** The list shrinks when details open: the row they belong to must not slip out of sight. */
  const reveal = async (key: string): Promise<void> => {
    await nextTick()
    const rows = [...(root.value?.querySelectorAll<HTMLElement>("[data-key]") ?? [])]
    rows.find((row) => row.dataset["key"] === key)?.scrollIntoView({ block: "nearest" })
  }
  return { root, activeItem, focus, reveal, onKeydown, onClick, onFocusin }
}

export const PanelTree = defineComponent({
  name: "EspalierPanelTree",
  props: { panel: { type: Object as PropType<Panel>, required: true } },
  setup(props) {
    const { panel } = props
    const isOpen = (node: string): boolean => panel.filtering.value || !panel.collapsed.value.has(node)
    const items = computed<ReadonlyArray<Item>>(() =>
      panel.groups.value.flatMap((group) => [
        { id: `node:${group.node}`, kind: "node" as const, node: group.node },
        ...(isOpen(group.node)
          ? group.instances.map(({ key }) => ({
              id: `instance:${key}`,
              kind: "instance" as const,
              node: group.node,
              key,
            }))
          : []),
      ]),
    )
    const tree = useTreeFocus(panel, () => items.value)
    // Closing the details gives the focus back to the row they belong to.
    watch(panel.selectedKey, (now, before) => {
      if (now !== null) return void tree.reveal(now)
      const row = items.value.find((item) => item.kind === "instance" && item.key === before)
      const lost =
        document.activeElement === null ||
        document.activeElement === document.body ||
        document.activeElement.closest(".esp-detail") !== null
      if (row !== undefined && lost) void tree.focus(row)
    })
    const rows = (group: NodeGroup, index: number): ReadonlyArray<VNode> => {
      const activeId = tree.activeItem.value?.id
      const open = isOpen(group.node)
      const place = { position: index + 1, size: panel.groups.value.length }
      const head = groupRow(group, open, activeId === `node:${group.node}`, place)
      if (!open) return [head]
      const own = group.instances.map((instance, at) =>
        h(InstanceRow, {
          key: instance.key,
          instance,
          selected: panel.selectedKey.value === instance.key,
          tabbable: activeId === `instance:${instance.key}`,
          depth: group.depth,
          position: at + 1,
          size: group.instances.length,
        }),
      )
      return [head, ...own]
    }
    return () => {
      const { onKeydown, onClick, onFocusin, root } = tree
      const events = { onKeydown, onClick, onFocusin }
      return h(
        "div",
        { ref: root, class: "esp-tree", role: "tree", "aria-label": "Nodes and instances", ...events },
        panel.groups.value.flatMap(rows),
      )
    }
  },
})

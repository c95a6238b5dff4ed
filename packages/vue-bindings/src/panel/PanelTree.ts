/**
 * The list of nodes and their instances: an ARIA tree with one tab stop and arrow keys. Only the rows in sight are drawn (and the
 * one that has the focus), and a row re-renders only when its own instance changes, so many instances stay cheap.
 */
import {
  computed,
  defineComponent,
  h,
  nextTick,
  onBeforeUnmount,
  onMounted,
  ref,
  shallowRef,
  watch,
  type PropType,
  type VNode,
} from "vue"
import type { NodeGroup } from "./format.ts"
import { groupRow, InstanceRow } from "./TreeRows.ts"
import type { Panel } from "./usePanel.ts"

/** A row of the tree, as the keyboard sees it. */
type Item =
  | { readonly id: string; readonly kind: "node"; readonly node: string }
  | { readonly id: string; readonly kind: "instance"; readonly node: string; readonly key: string }

/** Rows drawn beyond either edge of what is in sight. */
const overscan = 10
/** Height of what is in sight where nothing can be measured. */
const fallbackHeight = 900
/** Heights of a row in CSS pixels; the style sheet says the same. */
const rowHeight = { desktop: 30, phone: 40 } as const

/** Which rows are in sight: follows scrolling and the size of the list. */
const useWindow = (root: { readonly value: HTMLElement | null }) => {
  const isPhone = globalThis.matchMedia?.("(max-width: 640px)").matches === true
  const height = isPhone ? rowHeight.phone : rowHeight.desktop
  const top = ref(0)
  const inSight = ref(fallbackHeight)
  let observer: ResizeObserver | null = null
  const onScroll = (): void => void (top.value = root.value?.scrollTop ?? 0)
  onMounted(() => {
    if (root.value === null || typeof ResizeObserver === "undefined") return
    observer = new ResizeObserver(([entry]) => {
      const measured = entry?.contentRect.height ?? 0
      if (measured > 0) inSight.value = measured
    })
    observer.observe(root.value)
  })
  onBeforeUnmount(() => observer?.disconnect())
  const first = computed(() => Math.max(0, Math.floor(top.value / height) - overscan))
  const last = computed(() => Math.ceil((top.value + inSight.value) / height) + overscan)
  /** Scrolls so that the row of this index is in sight. */
  const reveal = (index: number): void => {
    const element = root.value
    if (element === null || index < 0) return
    const [from, to] = [index * height, (index + 1) * height]
    if (from < element.scrollTop) element.scrollTop = from
    else if (to > element.scrollTop + inSight.value) element.scrollTop = to - inSight.value
    onScroll()
  }
  return { height, first, last, onScroll, reveal }
}

/** Moves the one tab stop and the focus through the visible rows. */
const useTreeFocus = (panel: Panel, items: () => ReadonlyArray<Item>) => {
  const root = shallowRef<HTMLElement | null>(null)
  const sight = useWindow(root)
  const active = ref<string | null>(null)
  const activeItem = computed(() => items().find((item) => item.id === active.value) ?? items()[0] ?? null)
  const focus = async (item: Item | undefined): Promise<void> => {
    if (item === undefined) return
    active.value = item.id
    sight.reveal(items().findIndex((one) => one.id === item.id))
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
    sight.reveal(items().findIndex((item) => item.id === `instance:${key}`))
  }
  return { root, sight, activeItem, focus, reveal, onKeydown, onClick, onFocusin }
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
    /** Where each item belongs, so that a row in sight can be drawn without going through all the others. */
    const places = computed(() => {
      const all = new Map<string, { readonly group: NodeGroup; readonly position: number }>()
      for (const [index, group] of panel.groups.value.entries()) {
        all.set(`node:${group.node}`, { group, position: index + 1 })
        if (!isOpen(group.node)) continue
        for (const [at, { key }] of group.instances.entries()) {
          all.set(`instance:${key}`, { group, position: at + 1 })
        }
      }
      return all
    })
    const row = (item: Item, index: number): ReadonlyArray<VNode> => {
      const place = places.value.get(item.id)
      if (place === undefined) return []
      const { group, position } = place
      const tabbable = tree.activeItem.value?.id === item.id
      const top = index * tree.sight.height
      if (item.kind === "node") {
        const size = panel.groups.value.length
        return [groupRow(group, isOpen(item.node), tabbable, { position, size, top })]
      }
      const instance = group.instances[position - 1]
      if (instance === undefined) return []
      const { key } = instance
      return [
        h(InstanceRow, {
          key: `instance:${key}`,
          instance,
          selected: panel.selectedKey.value === key,
          tabbable,
          depth: group.depth,
          position,
          size: group.instances.length,
          top,
          label: panel.showKey(key),
          title: panel.show(key),
        }),
      ]
    }
    /** Indexes of the rows to draw: those in sight, and the tab stop, wherever it is. */
    const drawn = computed<ReadonlyArray<number>>(() => {
      const all = items.value
      const from = Math.min(tree.sight.first.value, Math.max(0, all.length - 1))
      const to = Math.min(tree.sight.last.value, all.length)
      const indexes = Array.from({ length: Math.max(0, to - from) }, (_, offset) => from + offset)
      const active = all.findIndex((item) => item.id === tree.activeItem.value?.id)
      return active < 0 || (active >= from && active < to)
        ? indexes
        : [...indexes, active].sort((left, right) => left - right)
    })
    return () => {
      const { onKeydown, onClick, onFocusin, root, sight } = tree
      const events = { onKeydown, onClick, onFocusin, onScroll: sight.onScroll }
      return h(
        "div",
        { ref: root, class: "esp-tree", role: "tree", "aria-label": "Nodes and instances", ...events },
        [
          h(
            "div",
            {
              class: "esp-tree-rows",
              role: "none",
              style: { height: `${items.value.length * sight.height}px` },
            },
            drawn.value.flatMap((index) => {
              const item = items.value[index]
              return item === undefined ? [] : row(item, index)
            }),
          ),
        ],
      )
    }
  },
})

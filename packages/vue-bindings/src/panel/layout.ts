/**
 * Where the graph's nodes stand and how their edges run: a pure tidy layout in CSS pixels. Side by side from left to right
 * where there is room, indented from top to bottom (as a directory tree) where there is not, so that a phone needs no
 * sideways scrolling. Knows nothing of Vue.
 */
import type { GraphData } from "@espalier/engine/graph"

/** Measures of the drawing, in CSS pixels. */
export const measures = {
  width: 188,
  gapX: 34,
  gapY: 14,
  indent: 22,
  anchorY: 20,
  chip: 26,
  chips: 4,
  head: 54,
} as const

export interface Box {
  readonly node: string
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

export interface Edge {
  readonly from: string
  readonly to: string
  /** SVG path data. */
  readonly path: string
}

export interface GraphLayout {
  readonly direction: "across" | "down"
  /** In tree order: parents before their children. */
  readonly boxes: ReadonlyArray<Box>
  readonly edges: ReadonlyArray<Edge>
  readonly width: number
  readonly height: number
}

/** Height of a node's box that shows so many chips. */
export const boxHeight = (chips: number): number =>
  measures.head + chips * measures.chip + (chips > 0 ? measures.chips : 0)

const radius = 6

/** From the parent's right side to the child's left, with rounded corners. */
const across = (from: Box, to: Box): string => {
  const [x1, y1] = [from.x + from.width, from.y + measures.anchorY]
  const [x2, y2] = [to.x, to.y + measures.anchorY]
  const middle = x1 + measures.gapX / 2
  if (y1 === y2) return `M${x1} ${y1}H${x2}`
  return `M${x1} ${y1}H${middle - radius}Q${middle} ${y1} ${middle} ${y1 + radius}V${y2 - radius}Q${middle} ${y2} ${middle + radius} ${y2}H${x2}`
}

/** From below the parent's edge down and into the child. */
const down = (from: Box, to: Box): string => {
  const x = from.x + measures.indent / 2
  const y = to.y + measures.anchorY
  return `M${x} ${from.y + from.height}V${y - radius}Q${x} ${y} ${x + radius} ${y}H${to.x}`
}

/** Lays the nodes out for a width; `heights` are those of the boxes. */
export const layoutGraph = (
  graph: GraphData,
  heights: ReadonlyMap<string, number>,
  available: number,
): GraphLayout => {
  const childrenOf = new Map<string | null, Array<string>>()
  for (const { id, parent } of Object.values(graph.nodes)) {
    const own = childrenOf.get(parent)
    if (own === undefined) childrenOf.set(parent, [id])
    else own.push(id)
  }
  const depthOf = (node: string, depth = 0): number =>
    (childrenOf.get(node) ?? []).reduce((most, child) => Math.max(most, depthOf(child, depth + 1)), depth)
  const depth = (childrenOf.get(null) ?? []).reduce((most, root) => Math.max(most, depthOf(root)), 0)
  const isAcross = (depth + 1) * measures.width + depth * measures.gapX <= available
  const boxes: Array<Box> = []
  const edges: Array<Edge> = []
  /** Places a node at `top` and all below it; answers where the next sibling may stand. */
  const place = (node: string, parent: Box | null, level: number, top: number): number => {
    const height = heights.get(node) ?? boxHeight(0)
    const x = level * (isAcross ? measures.width + measures.gapX : measures.indent)
    const width = isAcross ? measures.width : Math.max(available - x, measures.width)
    const box: Box = { node, x, y: top, width, height }
    boxes.push(box)
    if (parent !== null) {
      edges.push({ from: parent.node, to: node, path: isAcross ? across(parent, box) : down(parent, box) })
    }
    const bottom = top + height + measures.gapY
    let next = isAcross ? top : bottom
    for (const child of childrenOf.get(node) ?? []) next = place(child, box, level + 1, next)
    return Math.max(next, bottom)
  }
  let next = 0
  for (const root of childrenOf.get(null) ?? []) next = place(root, null, 0, next)
  return {
    direction: isAcross ? "across" : "down",
    boxes,
    edges,
    width: boxes.reduce((most, box) => Math.max(most, box.x + box.width), 0),
    height: Math.max(0, next - measures.gapY),
  }
}

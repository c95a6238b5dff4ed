/**
 * The shape of a state. Each state and roll-up has its own, so that the panel reads without colour.
 * Decorative: the word stands beside it, so it is hidden from assistive technology.
 */
import { h, type FunctionalComponent, type VNode } from "vue"
import type { Rollup, StateName } from "@espalier/engine/protocol"
import { rollupTone, stateTone } from "./format.ts"

type Shape = Array<VNode>

const ring = (extra: Record<string, string> = {}): VNode =>
  h("circle", { cx: 6, cy: 6, r: 4.25, fill: "none", stroke: "currentColor", "stroke-width": 1.5, ...extra })
const line = (d: string): VNode =>
  h("path", {
    d,
    fill: "none",
    stroke: "currentColor",
    "stroke-width": 1.6,
    "stroke-linecap": "round",
    "stroke-linejoin": "round",
  })
const solid = (d: string): VNode => h("path", { d, fill: "currentColor" })
const disc = (): VNode => h("circle", { cx: 6, cy: 6, r: 4.5, fill: "currentColor" })
/** Drawn in the background's colour on a solid shape. */
const cut = (d: string): VNode =>
  h("path", {
    d,
    fill: "none",
    stroke: "var(--esp-bg)",
    "stroke-width": 1.5,
    "stroke-linecap": "round",
    "stroke-linejoin": "round",
  })

const octagon = "M3.9 1h4.2L11 3.9v4.2L8.1 11H3.9L1 8.1V3.9z"

const shapes: Readonly<Record<StateName, () => Shape>> = {
  Live: () => [disc(), cut("M4 6.2 5.4 7.6 8.1 4.7")],
  Syncing: () => [ring({ "stroke-opacity": "0.28" }), line("M6 1.75A4.25 4.25 0 0 1 10.25 6")],
  Initial: () => [ring({ "stroke-dasharray": "1.6 1.75" })],
  Refetching: () => [
    line("M10 4.6A4.2 4.2 0 0 0 2.5 3.9M2 7.4a4.2 4.2 0 0 0 7.5.7"),
    line("M2.4 1.6v2.4h2.4M9.6 10.4V8H7.2"),
  ],
  Pending: () => [ring()],
  Backoff: () => [line("M3 1.5h6L3 10.5h6z")],
  Paused: () => [solid("M2.75 1.75h2.25v8.5H2.75zM7 1.75h2.25v8.5H7z")],
  Halted: () => [solid(octagon), cut("M4.3 4.3 7.7 7.7M7.7 4.3 4.3 7.7")],
  Draining: () => [line("M6 1.5v6.2M3.4 5.4 6 8l2.6-2.6M2.5 10.5h7")],
}

const rollupShapes: Readonly<Record<Rollup, () => Shape>> = {
  live: shapes.Live,
  loading: shapes.Syncing,
  idle: shapes.Pending,
  stale: () => [ring(), line("M6 3.6V6l1.6 1")],
  offline: () => [ring(), line("M2.9 9.1 9.1 2.9")],
  blocked: shapes.Paused,
  error: shapes.Halted,
}

const svg = (name: string, tone: string, children: Shape): VNode =>
  h(
    "svg",
    {
      class: "esp-glyph",
      viewBox: "0 0 12 12",
      width: 12,
      height: 12,
      "aria-hidden": "true",
      "data-shape": name,
      "data-tone": tone,
    },
    children,
  )

/** Shape of an instance's state. */
export const StateGlyph: FunctionalComponent<{ state: StateName }> = ({ state }) =>
  svg(state, stateTone(state), shapes[state]())
StateGlyph.props = ["state"]

/** Shape of a roll-up. */
export const RollupGlyph: FunctionalComponent<{ state: Rollup }> = ({ state }) =>
  svg(state, rollupTone(state), rollupShapes[state]())
RollupGlyph.props = ["state"]

/** A line icon of the panel's own controls. */
export const Icon: FunctionalComponent<{ d: string }> = ({ d }) =>
  h("svg", { class: "esp-icon", viewBox: "0 0 12 12", width: 14, height: 14, "aria-hidden": "true" }, [
    line(d),
  ])
Icon.props = ["d"]

/** Paths of those icons. */
export const icons = {
  close: "M2.5 2.5 9.5 9.5M9.5 2.5 2.5 9.5",
  back: "M7.5 2 3.5 6l4 4",
  chevron: "M4.5 2.5 8 6 4.5 9.5",
  pause: "M4 2.5v7M8 2.5v7",
  play: "M3.5 2.2 9.5 6l-6 3.8z",
  retry: "M9.8 5A4 4 0 1 0 10 7M10 2v3H7",
  refetch: "M6 1.5v6M3.5 5 6 7.5 8.5 5M2 10.5h8",
  copy: "M4 4V2h6v6H8M2 4h6v6H2z",
  eye: "M1 6s2-3.5 5-3.5S11 6 11 6 9 9.5 6 9.5 1 6 1 6zM6 7.2a1.2 1.2 0 1 0 0-2.4 1.2 1.2 0 0 0 0 2.4z",
  search: "M5 9A4 4 0 1 0 5 1a4 4 0 0 0 0 8zM8 8l3 3",
  /** An espalier: a trunk and its trained arms. */
  espalier: "M6 11V1M6 9H2V6.5M6 9h4V6.5M6 5H3V2.5M6 5h3V2.5",
} as const

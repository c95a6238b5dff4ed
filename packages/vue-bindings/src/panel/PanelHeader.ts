/**
 * Top of the panel: which graph, how it is, its connections, who leads, and the two controls that concern all
 * of it (pause, close). Below: state counts, which filter, as a proportional bar and as chips.
 */
import { defineComponent, h, type PropType, type VNode } from "vue"
import type { PauseReason } from "@espalier/engine/protocol"
import { pauseLabel, rollupHint, rollupLabel, rollupTone, stateHint, stateTone } from "./format.ts"
import { Icon, icons, RollupGlyph, StateGlyph } from "./StateGlyph.ts"
import type { Panel } from "./usePanel.ts"

/** Segments beyond this are one bar: 32 slots are no longer countable by eye. */
const segmentsShown = 8

const connections = (panel: Panel): VNode => {
  const { open, max, waiting } = panel.sync.connections.value
  const text = `${open} of ${max} connections open, ${waiting} waiting`
  const segments = Math.min(max, segmentsShown)
  const filled = max === 0 ? 0 : Math.round((open / max) * segments)
  const bars = Array.from({ length: segments }, (_, index) =>
    h("i", { "data-on": index < filled ? "" : undefined }),
  )
  return h("span", { class: "esp-connections", title: text }, [
    h("span", { class: "esp-meter", "aria-hidden": "true" }, bars),
    h("span", { "aria-hidden": "true" }, `${open}/${max}`),
    waiting > 0 ? h("span", { class: "esp-waiting", "aria-hidden": "true" }, `+${waiting} waiting`) : null,
    h("span", { class: "esp-sr" }, text),
  ])
}

const role = (panel: Panel): VNode => {
  const leads = panel.sync.isLeader.value
  const hint = leads
    ? "This tab's worker runs the engine for all tabs."
    : "Another tab's worker runs the engine."
  return h("span", { class: "esp-role", title: hint }, leads ? "leader" : "follower")
}

const title = (panel: Panel): VNode => {
  const { state, phase } = panel.sync
  const failed = phase.value?.phase === "failed" ? phase.value.message : null
  return h("div", { class: "esp-title" }, [
    h("span", { class: "esp-mark" }, [h(Icon, { d: icons.espalier })]),
    h("div", { class: "esp-title-text" }, [
      h("h2", { id: `esp-title-${panel.espalier.name}` }, panel.espalier.graph.name),
      h("p", { class: "esp-sub" }, [
        h(
          "span",
          {
            class: "esp-rollup",
            "data-tone": rollupTone(state.value),
            title: failed ?? rollupHint(state.value),
          },
          [h(RollupGlyph, { state: state.value }), rollupLabel(state.value)],
        ),
        ...(panel.espalier.client.value === null ? [] : [connections(panel), role(panel)]),
      ]),
    ]),
  ])
}

const controls = (panel: Panel, close: () => void): VNode => {
  const paused = panel.isPaused.value
  const toggle = (): void => void panel.commands.run(paused ? "resume" : "pause", "syncing", "manual")
  return h("div", { class: "esp-controls" }, [
    h(
      "button",
      {
        type: "button",
        class: "esp-button",
        "data-testid": "panel-pause",
        // The word on the button says what it will do, so it must not also claim to be pressed.
        "data-on": paused ? "" : undefined,
        disabled: panel.espalier.client.value === null,
        onClick: toggle,
      },
      [h(Icon, { d: paused ? icons.play : icons.pause }), paused ? "Resume" : "Pause"],
    ),
    h(
      "button",
      {
        type: "button",
        class: "esp-button esp-square",
        "aria-label": "Close the sync panel",
        onClick: close,
      },
      [h(Icon, { d: icons.close })],
    ),
  ])
}

const chips = (panel: Panel): VNode => {
  const counts = panel.counts.value
  const bar = counts.map(({ state, count }) =>
    h("i", { "data-tone": stateTone(state), "data-shape": state, style: { flexGrow: String(count) } }),
  )
  const buttons = counts.map(({ state, count }) =>
    h(
      "button",
      {
        type: "button",
        class: "esp-chip",
        "data-tone": stateTone(state),
        "aria-pressed": String(panel.stateFilter.value === state),
        title: stateHint(state),
        onClick: () => (panel.stateFilter.value = panel.stateFilter.value === state ? null : state),
      },
      [h(StateGlyph, { state }), h("b", String(count)), ` ${state}`],
    ),
  )
  return h("div", { class: "esp-counts" }, [
    h("div", { class: "esp-bar", "aria-hidden": "true" }, bar),
    h("div", { class: "esp-chips", role: "group", "aria-label": "Show only one state" }, buttons),
  ])
}

const notices = (panel: Panel): ReadonlyArray<VNode> => {
  const phase = panel.sync.phase.value
  // "Offline" is already the roll-up's word.
  const isSaid = (reason: PauseReason): boolean => reason === "offline" && panel.sync.isOffline.value
  const reasons = panel.sync.pauseReasons.value.filter((reason) => !isSaid(reason))
  const failure =
    phase?.phase === "failed"
      ? [h("p", { class: "esp-notice", "data-tone": "bad", role: "alert" }, phase.message)]
      : []
  const starting =
    phase?.phase === "starting"
      ? [h("p", { class: "esp-notice", "data-tone": "busy" }, `Starting: ${phase.step}…`)]
      : []
  const held =
    reasons.length === 0
      ? []
      : [h("p", { class: "esp-notice", "data-tone": "wait" }, `Held: ${reasons.map(pauseLabel).join(", ")}.`)]
  return [...failure, ...starting, ...held]
}

export const PanelHeader = defineComponent({
  name: "EspalierPanelHeader",
  props: { panel: { type: Object as PropType<Panel>, required: true } },
  emits: { close: () => true },
  setup(props, { emit }) {
    return () => {
      const { panel } = props
      return h("header", { class: "esp-header" }, [
        h("div", { class: "esp-top" }, [title(panel), controls(panel, () => emit("close"))]),
        ...notices(panel),
        panel.counts.value.length > 0 ? chips(panel) : null,
      ])
    }
  },
})

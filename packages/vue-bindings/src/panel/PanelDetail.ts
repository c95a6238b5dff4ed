/**
 * Everything about one instance: what state and since when, why it is wanted, what failed and when it is
 * tried again, what was compiled, what it holds. Reads status and `explain`; sends retry and refetch.
 */
import { defineComponent, h, nextTick, onMounted, shallowRef, watch, type PropType, type VNode } from "vue"
import type { InstanceStatus } from "@espalier/engine/protocol"
import {
  formatAgo,
  formatBytes,
  formatCount,
  formatCountdown,
  formatDuration,
  formatTime,
  pauseLabel,
  stateHint,
  stateTone,
  viewDefinition,
} from "./format.ts"
import { Icon, icons, StateGlyph } from "./StateGlyph.ts"
import type { Panel } from "./usePanel.ts"

const section = (title: string, children: ReadonlyArray<VNode | null>): VNode =>
  h("section", { class: "esp-section" }, [h("h4", title), ...children])

const fact = (name: string, value: string | VNode, mono = false): ReadonlyArray<VNode> => [
  h("dt", name),
  h("dd", { class: mono ? "esp-mono" : undefined }, [value]),
]

const head = (panel: Panel, one: InstanceStatus): VNode => {
  const back = (): void => void (panel.selectedKey.value = null)
  const command = (name: "retry" | "refetch", icon: string, label: string): VNode =>
    h(
      "button",
      {
        type: "button",
        class: "esp-button",
        "data-testid": `panel-${name}`,
        onClick: () => void panel.commands.run(name, one.key, one.key),
      },
      [h(Icon, { d: icon }), label],
    )
  return h("div", { class: "esp-detail-head" }, [
    h("div", { class: "esp-detail-title" }, [
      h(
        "button",
        {
          type: "button",
          class: "esp-button esp-square esp-back",
          "aria-label": "Close details",
          onClick: back,
        },
        [
          h("span", { class: "esp-narrow" }, [h(Icon, { d: icons.back })]),
          h("span", { class: "esp-wide" }, [h(Icon, { d: icons.close })]),
        ],
      ),
      h("h3", { class: "esp-mono", tabindex: -1 }, one.key),
    ]),
    h("div", { class: "esp-detail-state" }, [
      h("span", { class: "esp-badge", "data-tone": stateTone(one.state) }, [
        h(StateGlyph, { state: one.state }),
        one.state,
      ]),
      h("span", { class: "esp-since" }, `for ${formatDuration(panel.now.value - one.since)}`),
      h("span", { class: "esp-actions" }, [
        command("retry", icons.retry, "Retry"),
        command("refetch", icons.refetch, "Refetch"),
      ]),
    ]),
    h("p", { class: "esp-hint" }, stateHint(one.state)),
  ])
}

const failure = (panel: Panel, one: InstanceStatus): VNode | null => {
  if (one.error === null) return null
  const next = one.nextAttemptAt
  return h(
    "div",
    {
      class: "esp-error",
      "data-tone": stateTone(one.state) === "bad" ? "bad" : "warn",
      "data-testid": "panel-error",
    },
    [
      h("p", { class: "esp-error-head" }, [
        h("b", one.error.reason),
        one.attempt > 0 ? h("span", `attempt ${one.attempt}`) : null,
        next === null
          ? null
          : h(
              "span",
              { class: "esp-next", "data-testid": "panel-next-attempt" },
              `next try ${formatCountdown(next, panel.now.value)}`,
            ),
      ]),
      h("pre", one.error.message),
    ],
  )
}

const keyButton = (panel: Panel, key: string): VNode =>
  h(
    "button",
    { type: "button", class: "esp-link esp-mono", onClick: () => (panel.selectedKey.value = key) },
    key,
  )

const why = (panel: Panel, one: InstanceStatus): VNode => {
  const { explanation, error } = panel.explain
  const told = explanation.value?.key === one.key ? explanation.value : null
  const sentences = told?.why ?? [one.desired ? "It is desired." : "Nobody asks for it; it is only kept."]
  const waiting = told?.waitingFor ?? null
  return section("Why it is here", [
    h(
      "ul",
      { class: "esp-why" },
      sentences.map((sentence) => h("li", sentence)),
    ),
    waiting === null ? null : h("p", { class: "esp-waits" }, `Waits for: ${waiting}`),
    one.pauseReasons.length === 0
      ? null
      : h("p", { class: "esp-waits" }, `Held: ${one.pauseReasons.map(pauseLabel).join(", ")}`),
    one.demandedBy.length === 0
      ? null
      : h("p", { class: "esp-demand" }, [
          "Demanded by rows of ",
          ...one.demandedBy.map((key) => keyButton(panel, key)),
        ]),
    error.value === null
      ? null
      : h(
          "p",
          { class: "esp-waits", "data-tone": "bad" },
          `The engine did not explain: ${error.value.message}`,
        ),
  ])
}

const facts = (panel: Panel, one: InstanceStatus): VNode => {
  const last = one.lastUpToDateAt
  const bindings = Object.entries(one.bindings)
  return section("Facts", [
    h("div", { class: "esp-figures" }, [
      ...(
        [
          ["rows", formatCount(one.rows)],
          ["received", formatBytes(one.bytes)],
          ["requests", formatCount(one.requests)],
          ["leases", formatCount(one.leases)],
        ] as const
      ).map(([name, value]) => h("div", [h("b", value), h("span", name)])),
    ]),
    h("dl", { class: "esp-facts" }, [
      ...fact("Up to date", last === null ? "never yet" : formatAgo(last, panel.now.value)),
      ...fact("Connection", one.slot ? "holds a slot" : "no slot"),
      ...fact("Node", `${one.node} → ${one.table}`, true),
      ...bindings.flatMap(([name, value]) => fact(name, value, true)),
      ...fact("Handle", one.handle ?? "none", true),
      ...fact("Offset", one.offset ?? "none", true),
      ...fact("Definition", one.hash, true),
    ]),
  ])
}

const definition = (panel: Panel, one: InstanceStatus): VNode | null => {
  const told = panel.explain.explanation.value
  const view = told?.key === one.key ? viewDefinition(told.definition) : null
  if (view === null) return null
  return section("Compiled shape", [
    h("pre", { class: "esp-code", tabindex: 0, "aria-label": "Compiled where clause" }, [
      h("span", { class: "esp-word" }, "from "),
      `${view.table}\n`,
      h("span", { class: "esp-word" }, "where "),
      view.where,
    ]),
    view.params.length === 0
      ? null
      : h(
          "dl",
          { class: "esp-facts" },
          view.params.flatMap(([name, value]) => fact(name, value, true)),
        ),
    h("p", { class: "esp-columns esp-mono" }, view.columns.join(", ")),
  ])
}

const recent = (panel: Panel, one: InstanceStatus): VNode | null => {
  const told = panel.explain.explanation.value
  const entries = told?.key === one.key ? told.journal : []
  if (entries.length === 0) return null
  const line = (entry: (typeof entries)[number]): VNode =>
    h("li", { key: entry.seq }, [
      h("time", formatTime(entry.at)),
      h("b", entry.event),
      h("span", entry.detail),
    ])
  return section("What happened", [h("ol", { class: "esp-history" }, [...entries].reverse().map(line))])
}

export const PanelDetail = defineComponent({
  name: "EspalierPanelDetail",
  props: { panel: { type: Object as PropType<Panel>, required: true } },
  setup(props) {
    const { panel } = props
    const root = shallowRef<HTMLElement | null>(null)
    const toTop = async (): Promise<void> => {
      await nextTick()
      if (root.value === null) return
      root.value.scrollTop = 0
      // On a phone the details cover the list: the focus has to follow, or it would stay on a hidden row.
      if (globalThis.matchMedia?.("(max-width: 640px)").matches)
        root.value.querySelector<HTMLElement>("h3")?.focus()
    }
    onMounted(toTop)
    watch(panel.selectedKey, toTop)
    return () => {
      const one = panel.selected.value
      if (one === null) return null
      return h(
        "div",
        {
          ref: root,
          class: "esp-detail",
          role: "region",
          "aria-label": `Details of ${one.key}`,
          "data-testid": "panel-detail",
          tabindex: -1,
        },
        [
          head(panel, one),
          failure(panel, one),
          why(panel, one),
          facts(panel, one),
          definition(panel, one),
          recent(panel, one),
        ],
      )
    }
  },
})

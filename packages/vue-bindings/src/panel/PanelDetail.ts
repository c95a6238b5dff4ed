/**
 * Everything about one instance: what state and since when, why it is wanted, what failed and when it is
 * tried again, its states and requests so far, what was compiled, what it holds. Reads status, `explain`, journal and requests; sends
 * retry, refetch and evict, and copies a report.
 */
import { defineComponent, h, nextTick, onMounted, shallowRef, watch, type PropType, type VNode } from "vue"
import type { InstanceStatus } from "@espalier/engine/protocol"
import { button, fact, keyLink, section } from "./dom.ts"
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
import { stateHistory } from "./history.ts"
import { lsnOfOffset } from "./lsn.ts"
import { requestTable } from "./PanelNetwork.ts"
import { Icon, icons, StateGlyph } from "./StateGlyph.ts"
import type { Panel } from "./usePanel.ts"

/** Stays and requests shown of one instance; the timeline and the waterfall have all of them. */
const staysShown = 12
const requestsShown = 6

const head = (panel: Panel, one: InstanceStatus): VNode => {
  const back = (): void => void (panel.selectedKey.value = null)
  const command = (name: "retry" | "refetch" | "evict", icon: string, label: string): VNode =>
    button({
      label,
      icon,
      testId: `panel-${name}`,
      onClick: () => void panel.commands.run(name, one.key, one.key),
    })
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
      h("h3", { class: "esp-mono", tabindex: -1 }, panel.show(one.key)),
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
        // Only rows that nobody demands may be given up.
        one.desired ? null : command("evict", icons.close, "Evict"),
        button({
          label: "Report",
          describe: "Copy an anonymised report about this instance",
          icon: icons.copy,
          testId: "panel-report-one",
          onClick: () => void panel.commands.copyReport(one),
        }),
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
      h("pre", { tabindex: 0, "aria-label": "The whole error" }, panel.show(one.error.message)),
    ],
  )
}

const keyButton = (panel: Panel, key: string): VNode =>
  keyLink(panel.show(key), () => (panel.selectedKey.value = key))

const why = (panel: Panel, one: InstanceStatus): VNode => {
  const { explanation, error } = panel.explain
  const told = explanation.value?.key === one.key ? explanation.value : null
  const sentences = told?.why ?? [one.desired ? "It is desired." : "Nobody asks for it; it is only kept."]
  const waiting = told?.waitingFor ?? null
  const next = told?.next ?? null
  return section("Why it is here", [
    h(
      "ul",
      { class: "esp-why" },
      sentences.map((sentence) => h("li", panel.show(sentence))),
    ),
    waiting === null ? null : h("p", { class: "esp-waits" }, `Waits for: ${panel.show(waiting)}`),
    next === null ? null : h("p", { class: "esp-waits" }, `Next: ${panel.show(next)}`),
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
          `The engine did not explain: ${panel.show(error.value.message)}`,
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
      ...bindings.flatMap(([name, value]) => fact(name, panel.show(value), true)),
      ...fact("Handle", one.handle ?? "none", true),
      ...fact("Offset", one.offset ?? "none", true),
      ...fact("Log position", lsnOfOffset(one.offset) ?? "none yet", true),
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
      panel.show(view.where),
    ]),
    view.params.length === 0
      ? null
      : h(
          "dl",
          { class: "esp-facts" },
          view.params.flatMap(([name, value]) => fact(name, panel.show(value), true)),
        ),
    h("p", { class: "esp-columns esp-mono" }, view.columns.join(", ")),
  ])
}

/** How long it was in which state, as the journal tells it. */
const history = (panel: Panel, one: InstanceStatus): VNode => {
  const stays = stateHistory(one, panel.journal.answer.value).slice(0, staysShown)
  return section("State history", [
    h(
      "ol",
      { class: "esp-stays", "data-testid": "panel-stays" },
      stays.map((stay) =>
        h("li", { key: stay.since, "data-tone": stateTone(stay.state) }, [
          h("time", formatTime(stay.since)),
          h(StateGlyph, { state: stay.state }),
          h("b", stay.state),
          h("span", `for ${formatDuration((stay.until ?? panel.now.value) - stay.since)}`),
          stay.event === null ? null : h("span", `by ${stay.event}`),
        ]),
      ),
    ),
  ])
}

const requests = (panel: Panel, one: InstanceStatus): VNode | null => {
  const own = panel.requests.answer.value.filter(({ key }) => key === one.key).slice(-requestsShown)
  if (own.length === 0) return null
  return section("Last requests", [
    requestTable(panel, own, `Last requests of ${panel.show(one.key)}`),
    button({
      label: "In the waterfall",
      onClick: () => {
        panel.filter.value = one.key
        panel.tab.value = "network"
      },
    }),
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
      h("span", panel.show(entry.detail)),
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
          "aria-label": `Details of ${panel.show(one.key)}`,
          "data-testid": "panel-detail",
          tabindex: -1,
        },
        [
          head(panel, one),
          failure(panel, one),
          why(panel, one),
          facts(panel, one),
          history(panel, one),
          definition(panel, one),
          requests(panel, one),
          recent(panel, one),
        ],
      )
    }
  },
})

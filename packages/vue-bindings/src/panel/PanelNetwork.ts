/**
 * The engine's requests as a waterfall, one track per instance on a common time axis, newest first. A track opens to its
 * requests in words: phase, status, how long until headers and until the end, size, address.
 */
import { computed, defineComponent, h, ref, type PropType, type VNode } from "vue"
import type { RequestEntry } from "@espalier/engine/protocol"
import { dataTable, empty } from "./dom.ts"
import { formatBytes, formatCount, formatTime, plural } from "./format.ts"
import { Icon, icons } from "./StateGlyph.ts"
import type { Panel } from "./usePanel.ts"
import { requestTone, requestWindow, requestWord, waterfall, type Bar, type Track } from "./waterfall.ts"

/** Tracks shown at once; the filter reaches all of them. */
export const tracksShown = 60
/** Requests listed of one track. */
const requestsListed = 30

const millis = (from: number, to: number | null): string =>
  to === null ? "open" : `${formatCount(Math.max(0, to - from))} ms`

const bar = ({ entry, left, width, waited, tone }: Bar): VNode =>
  h("i", {
    key: entry.id,
    class: "esp-request",
    "data-tone": tone,
    "data-outcome": entry.outcome,
    "data-phase": entry.phase,
    style: { left: `${left}%`, width: `${width}%`, "--esp-waited": `${waited}%` },
  })

const word = (entry: RequestEntry): VNode =>
  h("span", { class: "esp-status", "data-tone": requestTone(entry) }, requestWord(entry))

/** Requests in words. */
export const requestTable = (panel: Panel, entries: ReadonlyArray<RequestEntry>, label: string): VNode =>
  dataTable(
    label,
    ["Sent", "Phase", "Result", "Headers", "Took", "Size", "Address"],
    [...entries]
      .slice(-requestsListed)
      .reverse()
      .map((entry) => [
        formatTime(entry.startedAt),
        entry.phase,
        word(entry),
        entry.headersAt === null ? "none" : millis(entry.startedAt, entry.headersAt),
        millis(entry.startedAt, entry.endedAt),
        formatBytes(entry.bytes),
        h("span", { class: "esp-mono" }, panel.show(entry.failure ?? entry.url)),
      ]),
  )

const track = (panel: Panel, one: Track, open: { value: string | null }): VNode => {
  const isOpen = open.value === one.key
  const own = (): ReadonlyArray<RequestEntry> => one.bars.map(({ entry }) => entry)
  const latest = one.bars.at(-1)?.entry
  return h("li", { key: one.key, class: "esp-track", "data-testid": "panel-track", "data-key": one.key }, [
    h(
      "button",
      {
        type: "button",
        class: "esp-track-head",
        "aria-expanded": String(isOpen),
        onClick: () => (open.value = isOpen ? null : one.key),
      },
      [
        h("span", { class: "esp-caret", "data-open": isOpen ? "" : undefined }, [
          h(Icon, { d: icons.chevron }),
        ]),
        h("span", { class: "esp-key", title: panel.show(one.key) }, panel.showKey(one.key)),
        h("span", { class: "esp-track-facts" }, [
          `${plural(one.requests, "request")}, ${formatBytes(one.bytes)}`,
          one.failed > 0 ? h("b", { "data-tone": "bad" }, `, ${one.failed} failed`) : null,
          latest === undefined ? null : h("span", [", last ", word(latest)]),
        ]),
        h("span", { class: "esp-bars", "aria-hidden": "true" }, one.bars.map(bar)),
      ],
    ),
    isOpen ? requestTable(panel, own(), `Requests of ${panel.show(one.key)}`) : null,
  ])
}

export const PanelNetwork = defineComponent({
  name: "EspalierPanelNetwork",
  props: { panel: { type: Object as PropType<Panel>, required: true } },
  setup(props) {
    const { panel } = props
    const open = ref<string | null>(null)
    const entries = computed(() => {
      const filter = panel.filter.value.trim().toLowerCase()
      const all = panel.requests.answer.value
      return filter === ""
        ? all
        : all.filter((entry) =>
            `${entry.key} ${entry.phase} ${requestWord(entry)} ${entry.failure ?? ""}`
              .toLowerCase()
              .includes(filter),
          )
    })
    const view = computed(() => {
      const window = requestWindow(entries.value, panel.now.value)
      return { window, tracks: waterfall(entries.value, window) }
    })
    return () => {
      const { error, answered } = panel.requests
      if (panel.espalier.client.value === null) return empty("No engine is connected.")
      if (error.value !== null) {
        return empty("The requests could not be read.", ` ${panel.show(error.value.message)}`, "alert")
      }
      if (!answered.value) return empty("Reading the requests…")
      if (entries.value.length === 0) {
        return panel.filter.value.trim() === ""
          ? empty("No request was sent yet.")
          : empty("No request matches the filter.")
      }
      const { tracks, window } = view.value
      const more = tracks.length - tracksShown
      return h("div", { class: "esp-view" }, [
        h("p", { class: "esp-axis" }, [
          h("span", formatTime(window.from)),
          h("span", `${plural(entries.value.length, "request")} of ${plural(tracks.length, "instance")}`),
          h("span", formatTime(window.to)),
        ]),
        h(
          "div",
          {
            class: "esp-tracks",
            role: "region",
            tabindex: 0,
            "aria-label": "Requests by instance, newest first",
          },
          [
            h(
              "ul",
              tracks.slice(0, tracksShown).map((one) => track(panel, one, open)),
            ),
            more > 0
              ? h(
                  "p",
                  { class: "esp-more" },
                  `${plural(more, "more instance")}: narrow the filter to see them.`,
                )
              : null,
          ],
        ),
      ])
    }
  },
})

/**
 * Where the rows lie and how much room is left: the host's storage status, the size of each table, and what was given up for
 * space. Shows only what the host says; a host that says nothing is said to say nothing.
 */
import { defineComponent, h, watch, type PropType, type VNode } from "vue"
import type { StorageStatus } from "@espalier/worker"
import { fromSubscription } from "../internal/fromSubscription.ts"
import { liveRead } from "../internal/liveRead.ts"
import { dataTable, empty, fact, scroller, section } from "./dom.ts"
import { formatBytes, formatCount, formatTime, type Tone } from "./format.ts"
import { countsSql, sizesSql } from "./rowsSql.ts"
import type { Panel } from "./usePanel.ts"

const backends: Readonly<Record<StorageStatus["backend"], string>> = {
  idb: "IndexedDB",
  opfs: "Origin-private file system",
  memory: "Memory only: gone with the worker",
}

const levels: Readonly<Record<StorageStatus["level"], { readonly tone: Tone; readonly text: string }>> = {
  ok: { tone: "good", text: "Enough room" },
  warning: { tone: "warn", text: "Getting full" },
  critical: { tone: "bad", text: "Nearly full" },
  full: { tone: "bad", text: "Full" },
}

const meter = (storage: StorageStatus): VNode | null => {
  const { usageBytes, quotaBytes } = storage
  if (usageBytes === null || quotaBytes === null || quotaBytes <= 0) return null
  const percent = Math.min(100, (usageBytes / quotaBytes) * 100)
  return h(
    "div",
    {
      class: "esp-gauge",
      role: "meter",
      "aria-label": "Storage used",
      "aria-valuemin": 0,
      "aria-valuemax": 100,
      "aria-valuenow": Math.round(percent),
      "aria-valuetext": `${formatBytes(usageBytes)} of ${formatBytes(quotaBytes)}`,
      "data-tone": levels[storage.level].tone,
    },
    [h("i", { style: { width: `${Math.max(percent, 0.5)}%` } })],
  )
}

const place = (panel: Panel, storage: StorageStatus): VNode => {
  const { usageBytes, quotaBytes, persisted } = storage
  const level = levels[storage.level]
  const room =
    usageBytes === null || quotaBytes === null
      ? "the browser does not say"
      : `${formatBytes(usageBytes)} of ${formatBytes(quotaBytes)}`
  return section("This database", [
    meter(storage),
    h("dl", { class: "esp-facts" }, [
      ...fact("Room", h("span", { "data-tone": level.tone, class: "esp-level" }, `${level.text}, ${room}`)),
      ...fact("Back end", backends[storage.backend]),
      ...fact("Why", panel.show(storage.reason)),
      ...fact(
        "Durability",
        storage.durability === "strict"
          ? "strict: a commit is stored before it is told"
          : "relaxed: storing may be a little behind",
      ),
      ...fact(
        "Kept by the browser",
        persisted === null
          ? "the browser does not say"
          : persisted
            ? "promised"
            : "may be cleared under pressure",
      ),
    ]),
  ])
}

const evictions = (panel: Panel, storage: StorageStatus): VNode =>
  section("Given up for space", [
    storage.evictions.length === 0
      ? h("p", { class: "esp-hint" }, "Nothing so far.")
      : dataTable(
          "Given up for space, newest first",
          ["When", "Instance", "Rows", "Why"],
          [...storage.evictions]
            .reverse()
            .map((one) => [
              formatTime(one.at),
              h("span", { class: "esp-mono" }, panel.showKey(one.key)),
              formatCount(one.rows),
              panel.show(one.reason),
            ]),
        ),
  ])

const useTables = (panel: Panel) => {
  const { espalier } = panel
  const read = liveRead<
    { readonly of: string },
    ReadonlyArray<{ readonly table: string; readonly rows: number; readonly bytes: number }>
  >({
    client: espalier.client,
    ask: () => ({ of: espalier.graph.name }),
    read: async (client) => {
      const [counts] = await client.query<Record<string, number>>(countsSql(espalier.graph))
      const [sizes] = await client.query<Record<string, number>>(sizesSql(espalier.graph))
      return Object.keys(espalier.graph.tables)
        .map((table) => ({ table, rows: counts?.[table] ?? 0, bytes: sizes?.[table] ?? 0 }))
        .sort((left, right) => right.bytes - left.bytes)
    },
    none: [],
    share: (_, next) => next,
  })
  watch(panel.status, () => read.invalidate())
  return read
}

export const PanelStorage = defineComponent({
  name: "EspalierPanelStorage",
  props: { panel: { type: Object as PropType<Panel>, required: true } },
  setup(props) {
    const { panel } = props
    const storage = fromSubscription({
      source: () => panel.espalier.client.value,
      absent: null as StorageStatus | null,
      current: (client) => client.storage,
      subscribe: (client, emit) => client.onStorage(emit),
    })
    const tables = useTables(panel)
    const sizes = (): VNode =>
      section("Tables with their indexes", [
        tables.error.value !== null
          ? h("p", { class: "esp-waits", "data-tone": "bad" }, panel.show(tables.error.value.message))
          : dataTable(
              "Size of each table",
              ["Table", "Rows", "Size"],
              tables.answer.value.map((one) => [
                h("span", { class: "esp-mono" }, one.table),
                formatCount(one.rows),
                formatBytes(one.bytes),
              ]),
            ),
      ])
    return () => {
      if (panel.espalier.client.value === null) return empty("No engine is connected.")
      const now = storage.value
      return scroller("Storage", [
        now === null
          ? section("This database", [
              h("p", { class: "esp-hint" }, "The host has not said where it stores."),
            ])
          : place(panel, now),
        sizes(),
        now === null ? null : evictions(panel, now),
      ])
    }
  },
})

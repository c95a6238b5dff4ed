/**
 * Why is this row here? The rows of each local table, and for one of them the instances that hold it. Also looks for rows nobody
 * holds. Reads the local database and the engine's provenance; never the server.
 */
import { computed, defineComponent, h, ref, watch, type PropType, type VNode } from "vue"
import { liveRead } from "../internal/liveRead.ts"
import { button, choice, dataTable, empty, keyLink, section } from "./dom.ts"
import { formatCount, plural, shortKey, stateTone } from "./format.ts"
import { countsSql, rowsSql } from "./rowsSql.ts"
import { StateGlyph } from "./StateGlyph.ts"
import { rowsChecked, useOrphans } from "./useOrphans.ts"
import type { Panel } from "./usePanel.ts"

/** Rows listed at once; the filter reaches all of them. */
export const rowsListed = 50

interface FoundRow {
  readonly key: ReadonlyArray<string>
  readonly row: string
}

const useRowsRead = (panel: Panel, table: { readonly value: string }) => {
  const { espalier } = panel
  const counts = liveRead<{ readonly of: string }, Readonly<Record<string, number>>>({
    client: espalier.client,
    ask: () => ({ of: espalier.graph.name }),
    read: async (client) => (await client.query<Record<string, number>>(countsSql(espalier.graph)))[0] ?? {},
    none: {},
    share: (_, next) => next,
  })
  const rows = liveRead<{ readonly table: string; readonly filter: string }, ReadonlyArray<FoundRow>>({
    client: espalier.client,
    ask: () => ({ table: table.value, filter: panel.filter.value.trim() }),
    read: async (client, ask) => {
      const declared = espalier.graph.tables[ask.table]
      return declared === undefined ? [] : client.query<FoundRow>(rowsSql(declared, rowsListed), [ask.filter])
    },
    none: [],
    share: (_, next) => next,
  })
  // Rows move with commits, and every commit moves the status.
  watch(panel.status, () => {
    counts.invalidate()
    rows.invalidate()
  })
  return { counts, rows }
}

const useHolders = (
  panel: Panel,
  table: { readonly value: string },
  key: { value: ReadonlyArray<string> | null },
) => {
  const read = liveRead<
    { readonly table: string; readonly key: ReadonlyArray<string> },
    ReadonlyArray<string>
  >({
    client: panel.espalier.client,
    ask: () => (key.value === null ? null : { table: table.value, key: key.value }),
    read: (client, ask) => client.call("holders", ask.table, ask.key),
    none: [],
    share: (_, next) => next,
  })
  watch(panel.status, () => read.invalidate())
  return read
}

const holder = (panel: Panel, key: string): VNode => {
  const state = panel.status.value?.instances[key]?.state
  return h(
    "li",
    { key, "data-tone": state === undefined ? "wait" : stateTone(state), "data-testid": "panel-holder" },
    [
      state === undefined ? null : h(StateGlyph, { state }),
      keyLink(panel.showKey(key), () => panel.reveal(key), panel.show(key)),
      h("span", { class: "esp-chip-state" }, state ?? "unknown to the engine"),
    ],
  )
}

/** Text of a primary key, for people. */
const keyText = (panel: Panel, key: ReadonlyArray<string>): string =>
  key.map((part) => (panel.isHiding.value ? panel.redactor.value(part) : shortKey(part))).join(", ")

/** Row values are never aliased one by one: hidden means not shown at all. */
const rowText = (panel: Panel, row: string): string =>
  panel.isHiding.value ? `${Object.keys(JSON.parse(row) as object).length} values hidden` : row

export const PanelRows = defineComponent({
  name: "EspalierPanelRows",
  props: { panel: { type: Object as PropType<Panel>, required: true } },
  setup(props) {
    const { panel } = props
    const tables = Object.values(panel.espalier.graph.tables)
    const table = ref(tables[0]?.name ?? "")
    const key = ref<ReadonlyArray<string> | null>(null)
    watch([table, panel.espalier.client], () => (key.value = null))
    const { counts, rows } = useRowsRead(panel, table)
    const holders = useHolders(panel, table, key)
    const orphans = useOrphans()
    const total = computed(() => counts.answer.value[table.value])

    const provenance = (): VNode | null => {
      const chosen = key.value
      if (chosen === null) return null
      const { error, answered, answer } = holders
      const found =
        error.value !== null
          ? h(
              "p",
              { class: "esp-waits", "data-tone": "bad" },
              `The engine did not say: ${panel.show(error.value.message)}`,
            )
          : !answered.value
            ? h("p", { class: "esp-hint" }, "Asking…")
            : answer.value.length === 0
              ? h(
                  "p",
                  { class: "esp-waits", "data-tone": "warn" },
                  "No instance holds it. The app wrote it by itself, or it is an orphan.",
                )
              : h(
                  "ul",
                  { class: "esp-holders" },
                  answer.value.map((one) => holder(panel, one)),
                )
      return h("div", { role: "status", "data-testid": "panel-holders" }, [
        section(`${keyText(panel, chosen)} is held by`, [found]),
      ])
    }
    const check = (): VNode => {
      const now = orphans.result.value
      const said =
        now === null || now.table !== table.value
          ? `Asks for the holders of the first ${formatCount(rowsChecked)} rows.`
          : now.problem !== null
            ? `The check stopped: ${panel.show(now.problem)}`
            : `${now.isDone ? "" : "Checking: "}${plural(now.orphans, "orphan")} among ${plural(now.checked, "row")}.` +
              (now.named.length > 0 ? ` ${now.named.map((one) => keyText(panel, one)).join("; ")}` : "")
      return h("div", { class: "esp-inline" }, [
        button({
          label: "Check for orphans",
          testId: "panel-orphans",
          disabled: now !== null && !now.isDone,
          onClick: () => {
            const declared = panel.espalier.graph.tables[table.value]
            const client = panel.espalier.client.value
            if (client !== null && declared !== undefined) void orphans.check(client, declared)
          },
        }),
        h("span", { class: "esp-hint", role: "status", "data-testid": "panel-orphan-result" }, said),
      ])
    }
    const list = (): VNode => {
      if (rows.error.value !== null) {
        return empty("The rows could not be read.", ` ${panel.show(rows.error.value.message)}`, "alert")
      }
      if (rows.answer.value.length === 0)
        return empty(rows.answered.value ? "No such row." : "Reading the rows…")
      return dataTable(
        `Rows of ${table.value}`,
        ["Key", "Row"],
        rows.answer.value.map((one) => [
          keyLink(keyText(panel, one.key), () => (key.value = one.key), panel.show(one.key.join(", "))),
          h("span", { class: "esp-mono esp-cell" }, rowText(panel, one.row)),
        ]),
      )
    }
    const options = computed(() =>
      tables.map(({ name }) => {
        const count = counts.answer.value[name]
        return [name, count === undefined ? name : `${name} (${formatCount(count)})`] as const
      }),
    )
    return () => {
      if (panel.espalier.client.value === null) return empty("No engine is connected.")
      return h("div", { class: "esp-view" }, [
        h("div", { class: "esp-view-head" }, [
          h("div", { class: "esp-inline" }, [
            choice("Table", table.value, options.value, (next) => (table.value = next)),
            h("span", { class: "esp-hint" }, total.value === undefined ? "" : plural(total.value, "row")),
          ]),
          check(),
          provenance(),
        ]),
        list(),
      ])
    }
  },
})

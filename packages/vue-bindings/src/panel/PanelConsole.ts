/**
 * A console over the local Postgres. It cannot write: the statement runs in a read-only transaction that is rolled back, and
 * Postgres refuses what would change anything. Where values are hidden, the result says only their kind and size.
 */
import { defineComponent, h, ref, shallowRef, useId, type PropType, type VNode } from "vue"
import type { InspectResult } from "@espalier/worker"
import { button, dataTable, empty } from "./dom.ts"
import { plural } from "./format.ts"
import { describeValue, formatValue } from "./redact.ts"
import { icons } from "./StateGlyph.ts"
import type { Panel } from "./usePanel.ts"

/** Rows drawn of a result. */
export const resultRowsDrawn = 200

const firstSql = (panel: Panel): string => {
  const [table] = Object.keys(panel.espalier.graph.tables)
  return table === undefined ? "select now()" : `select * from "${table.replaceAll('"', '""')}" limit 20`
}

const resultTable = (panel: Panel, result: InspectResult): VNode => {
  const cell = (value: unknown): string => (panel.isHiding.value ? describeValue(value) : formatValue(value))
  const drawn = result.rows.slice(0, resultRowsDrawn)
  const more = result.truncated ? "more rows than were read" : ""
  return h("div", { class: "esp-result", "data-testid": "panel-result" }, [
    h(
      "p",
      { class: "esp-hint", role: "status" },
      [
        plural(result.rows.length, "row"),
        more,
        drawn.length < result.rows.length ? `the first ${drawn.length} are shown` : "",
      ]
        .filter(Boolean)
        .join("; "),
    ),
    result.columns.length === 0
      ? null
      : dataTable(
          "Result",
          result.columns,
          drawn.map((row) => row.map((value) => h("span", { class: "esp-mono esp-cell" }, cell(value)))),
        ),
  ])
}

export const PanelConsole = defineComponent({
  name: "EspalierPanelConsole",
  props: { panel: { type: Object as PropType<Panel>, required: true } },
  setup(props) {
    const { panel } = props
    const id = useId()
    const sql = ref(firstSql(panel))
    const busy = ref(false)
    const result = shallowRef<InspectResult | null>(null)
    const problem = ref<string | null>(null)
    let asked = 0
    const run = async (): Promise<void> => {
      const client = panel.espalier.client.value
      const text = sql.value.trim()
      if (client === null || text === "" || busy.value) return
      asked += 1
      const own = asked
      busy.value = true
      problem.value = null
      try {
        const answer = await client.inspect(text)
        if (own === asked && client === panel.espalier.client.value) result.value = answer
      } catch (cause) {
        result.value = null
        problem.value = cause instanceof Error ? cause.message : String(cause)
      } finally {
        busy.value = false
      }
    }
    const onKeydown = (event: KeyboardEvent): void => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return
      event.preventDefault()
      void run()
    }
    return () => {
      if (panel.espalier.client.value === null) return empty("No engine is connected.")
      return h("div", { class: "esp-view" }, [
        h("div", { class: "esp-view-head" }, [
          h("label", { class: "esp-sql-label", for: `${id}-sql` }, "SQL, read-only"),
          h("textarea", {
            id: `${id}-sql`,
            class: "esp-sql",
            rows: 4,
            spellcheck: false,
            autocomplete: "off",
            autocapitalize: "off",
            "data-testid": "panel-sql",
            value: sql.value,
            onInput: (event: Event) => {
              if (event.target instanceof HTMLTextAreaElement) sql.value = event.target.value
            },
            onKeydown,
          }),
          h("div", { class: "esp-inline" }, [
            button({
              label: busy.value ? "Running…" : "Run",
              icon: icons.play,
              testId: "panel-run",
              disabled: busy.value,
              onClick: () => void run(),
            }),
            h(
              "span",
              { class: "esp-hint" },
              "Ctrl or ⌘ with Enter. One statement, rolled back: nothing can change.",
            ),
          ]),
        ]),
        problem.value === null
          ? result.value === null
            ? empty("No result yet.")
            : resultTable(panel, result.value)
          : h(
              "p",
              { class: "esp-notice esp-problem", "data-tone": "bad", role: "alert" },
              panel.show(problem.value),
            ),
      ])
    }
  },
})

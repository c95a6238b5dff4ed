/**
 * Breaks the development server on purpose and mends it again. Shown only where the app hands over a control of faults, which no
 * production server has.
 */
import { defineComponent, h, onMounted, ref, shallowRef, type PropType, type VNode } from "vue"
import { button, choice, empty, scroller, section } from "./dom.ts"
import { faultPresets, type FaultControl, type FaultInForce } from "./faults.ts"
import { plural } from "./format.ts"
import { icons } from "./StateGlyph.ts"
import type { Panel } from "./usePanel.ts"

const everyTable = ""

const words = ({ kind, millis, status, table, times, happened }: FaultInForce): string =>
  [
    kind === "latency" ? `latency ${millis ?? 0} ms` : kind === "status" ? `status ${status ?? 503}` : kind,
    table === undefined || table === null ? "" : `on ${table}`,
    times === undefined || times === null ? "" : `up to ${times}×`,
    `happened ${plural(happened, "time")}`,
  ]
    .filter(Boolean)
    .join(", ")

/** Calls the control one thing at a time and reads the list again afterwards. */
const useFaults = (control: FaultControl) => {
  const inForce = shallowRef<ReadonlyArray<FaultInForce>>([])
  const problem = ref<string | null>(null)
  const busy = ref(false)
  const act = async (what: () => Promise<void>): Promise<void> => {
    busy.value = true
    problem.value = null
    try {
      await what()
      inForce.value = await control.list()
    } catch (cause) {
      problem.value = cause instanceof Error ? cause.message : String(cause)
    } finally {
      busy.value = false
    }
  }
  onMounted(() => void act(async () => {}))
  return { inForce, problem, busy, act }
}

export const PanelFaults = defineComponent({
  name: "EspalierPanelFaults",
  props: {
    panel: { type: Object as PropType<Panel>, required: true },
    control: { type: Object as PropType<FaultControl>, required: true },
  },
  setup(props) {
    const { control, panel } = props
    const { inForce, problem, busy, act } = useFaults(control)
    const table = ref(everyTable)
    const serverTables = [...new Set(Object.values(panel.espalier.graph.tables).map(({ from }) => from))].map(
      (name) => [name, name] as const,
    )
    const preset = (one: (typeof faultPresets)[number]): VNode =>
      h("li", { key: one.name }, [
        button({
          label: one.name,
          disabled: busy.value,
          onClick: () =>
            void act(() =>
              control.add(table.value === everyTable ? one.fault : { ...one.fault, table: table.value }),
            ),
        }),
        h("span", { class: "esp-hint" }, one.what),
      ])
    const active = (one: FaultInForce): VNode =>
      h("li", { key: one.id, "data-testid": "panel-fault" }, [
        h("span", words(one)),
        button({
          label: "End",
          describe: `End ${words(one)}`,
          disabled: busy.value,
          onClick: () => void act(() => control.remove(one.id)),
        }),
      ])
    return () =>
      scroller("Faults", [
        problem.value === null
          ? null
          : h("p", { class: "esp-notice esp-problem", "data-tone": "bad", role: "alert" }, problem.value),
        section("Break something", [
          choice(
            "Where",
            table.value,
            [[everyTable, "every table"], ...serverTables],
            (next) => (table.value = next),
          ),
          h("ul", { class: "esp-presets" }, faultPresets.map(preset)),
        ]),
        section("In force", [
          inForce.value.length === 0
            ? h("p", { class: "esp-hint" }, "Nothing is broken on purpose.")
            : h("ul", { class: "esp-presets" }, inForce.value.map(active)),
          inForce.value.length === 0
            ? null
            : button({
                label: "Mend all",
                icon: icons.retry,
                testId: "panel-mend",
                disabled: busy.value,
                onClick: () => void act(control.clear),
              }),
        ]),
      ])
  },
})

/** What the tab says where there is no control. */
export const noFaults = (): VNode => empty("This server offers no faults.")

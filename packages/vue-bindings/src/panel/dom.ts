/**
 * The few pieces of markup that every view of the panel is made of. Exists so that buttons, notes and scrolling regions behave
 * alike for keyboard and screen reader wherever they stand.
 */
import { h, type VNode } from "vue"
import { Icon } from "./StateGlyph.ts"

export interface ButtonOptions {
  readonly label: string
  readonly onClick: () => void
  readonly icon?: string
  readonly testId?: string
  readonly disabled?: boolean
  /** Says more than the label where the label alone would be ambiguous. */
  readonly describe?: string
}

/** A plain button of the panel. */
export const button = ({ label, onClick, icon, testId, disabled, describe }: ButtonOptions): VNode =>
  h(
    "button",
    {
      type: "button",
      class: "esp-button",
      "data-testid": testId,
      disabled,
      "aria-label": describe,
      title: describe,
      onClick,
    },
    [icon === undefined ? null : h(Icon, { d: icon }), label],
  )

/** A key that leads to its instance. */
export const keyLink = (label: string, onClick: () => void, title?: string): VNode =>
  h("button", { type: "button", class: "esp-link esp-mono", title, onClick }, label)

/** What a view says instead of nothing. */
export const empty = (head: string, text = "", role?: "alert"): VNode =>
  h("p", { class: "esp-empty", role }, [h("b", head), text])

/** A titled part of a view. */
export const section = (title: string, children: ReadonlyArray<VNode | null>): VNode =>
  h("section", { class: "esp-section" }, [h("h4", title), ...children])

/** A term and its value in a list of facts. */
export const fact = (name: string, value: string | VNode, mono = false): ReadonlyArray<VNode> => [
  h("dt", name),
  h("dd", { class: mono ? "esp-mono" : undefined }, [value]),
]

/** A region that scrolls, reachable by keyboard. */
export const scroller = (label: string, children: ReadonlyArray<VNode | null>, attrs: object = {}): VNode =>
  h("div", { class: "esp-scroll", role: "region", tabindex: 0, "aria-label": label, ...attrs }, [...children])

/** A table with a head; it scrolls sideways by itself where it is too wide. */
export const dataTable = (
  label: string,
  columns: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string | VNode>>,
): VNode =>
  scroller(
    label,
    [
      h("table", { class: "esp-data" }, [
        h("thead", [
          h(
            "tr",
            columns.map((column) => h("th", { scope: "col" }, column)),
          ),
        ]),
        h(
          "tbody",
          rows.map((row) =>
            h(
              "tr",
              row.map((cell) => h("td", [cell])),
            ),
          ),
        ),
      ]),
    ],
    { class: "esp-scroll esp-wide-table" },
  )

/** A labelled choice. */
export const choice = (
  label: string,
  value: string,
  options: ReadonlyArray<readonly [value: string, text: string]>,
  onChange: (value: string) => void,
): VNode =>
  h("label", { class: "esp-choice" }, [
    h("span", label),
    h(
      "select",
      {
        value,
        onChange: (event: Event) => {
          if (event.target instanceof HTMLSelectElement) onChange(event.target.value)
        },
      },
      options.map(([of, text]) => h("option", { value: of, selected: of === value }, text)),
    ),
  ])

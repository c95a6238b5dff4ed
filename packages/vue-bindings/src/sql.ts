/**
 * SQL as a tagged template whose interpolations always become `$n`: values, refs and getters (followed), or
 * other `sql` fragments (spliced, parameters renumbered). Nothing else ever reaches the text. Pure.
 */

/**
 * A query for `useLiveQuery`. `Row` is what the app says a row looks like; it is not checked against the SQL.
 */
export interface LiveSql<Row = Record<string, unknown>> {
  /** Text with `$1…$n`. */
  readonly sql: string
  /** Values of `$n`; refs and getters are followed, `undefined` means "not known yet". */
  readonly params?: ReadonlyArray<unknown>
  /** Local tables the query depends on. Default: those of the graph named in the text. */
  readonly tables?: ReadonlyArray<string>
  readonly _row?: Row
}

/** A fragment or a whole query made by {@link sql}. */
export class SqlTemplate<Row = Record<string, unknown>> implements LiveSql<Row> {
  declare readonly _row?: Row
  readonly strings: ReadonlyArray<string>
  readonly values: ReadonlyArray<unknown>
  constructor(strings: ReadonlyArray<string>, values: ReadonlyArray<unknown>) {
    const flat = flatten(strings, values)
    this.strings = flat.strings
    this.values = flat.values
  }
  get sql(): string {
    return this.strings.reduce((text, part, index) => `${text}$${index}${part}`)
  }
  get params(): ReadonlyArray<unknown> {
    return this.values
  }
}

const flatten = (strings: ReadonlyArray<string>, values: ReadonlyArray<unknown>) => {
  const text: Array<string> = [strings[0] ?? ""]
  const flat: Array<unknown> = []
  values.forEach((value, index) => {
    const after = strings[index + 1] ?? ""
    if (!(value instanceof SqlTemplate)) {
      flat.push(value)
      text.push(after)
      return
    }
    const [first = "", ...rest] = value.strings
    text.push(`${text.pop() ?? ""}${first}`, ...rest)
    text.push(`${text.pop() ?? ""}${after}`)
    flat.push(...value.values)
  })
  return { strings: text, values: flat }
}

/** `sql<{ name: string }>`select name from companies where id = ${companyId}`` */
export const sql = <Row = Record<string, unknown>>(
  strings: TemplateStringsArray,
  ...values: ReadonlyArray<unknown>
): SqlTemplate<Row> => new SqlTemplate<Row>([...strings], values)

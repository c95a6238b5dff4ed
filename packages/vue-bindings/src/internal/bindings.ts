/**
 * Turns binding values as an app writes them (refs, getters, numbers, dates) into Postgres text, which is
 * what the engine and the local SQL take. A value that is `undefined` means "not known yet" and yields null
 * for the whole set: dropping it would silently widen the demand to every instance of the node.
 */
import { toValue, type MaybeRefOrGetter } from "vue"

export type BindingInput = string | number | bigint | boolean | Date
export type BindingsInput = Readonly<Record<string, MaybeRefOrGetter<BindingInput | undefined>>>

const toText = (value: BindingInput): string => (value instanceof Date ? value.toISOString() : String(value))

/** All values as text, or null while one is not known. Tracked. */
export const resolveBindings = (
  bindings: MaybeRefOrGetter<object | undefined>,
): Readonly<Record<string, string>> | null => {
  const resolved: Record<string, string> = {}
  for (const [name, input] of Object.entries((toValue(bindings) ?? {}) as BindingsInput)) {
    const value = toValue(input)
    if (value === undefined) return null
    resolved[name] = toText(value)
  }
  return resolved
}

/** All filter values, or null while one is not known. Tracked. */
export const resolveWhere = (
  where: MaybeRefOrGetter<object | undefined>,
): Readonly<Record<string, unknown>> | null => {
  const resolved: Record<string, unknown> = {}
  for (const [name, input] of Object.entries(toValue(where) ?? {})) {
    const value: unknown = toValue(input)
    if (value === undefined) return null
    resolved[name] = value
  }
  return resolved
}

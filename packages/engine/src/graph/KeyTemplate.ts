/**
 * Key templates such as `company-{id}-members`: parsing, what a placeholder stands for, and the encoding that keeps keys
 * apart. Exists so that validation (can two keys collide?) and the compiler (which key is it?) share one reading. Pure.
 */
import type { GraphData } from "./Graph.ts"
import { bindingColumn, nodeOf, ownershipOf } from "./SyncGraph.ts"
import type { ColumnType } from "./Table.ts"

export type KeyPart =
  | { readonly _tag: "Text"; readonly text: string }
  | { readonly _tag: "Placeholder"; readonly name: string }

/** What a placeholder takes its value from. */
export interface KeySource {
  readonly _tag: "Param" | "Binding"
  readonly name: string
  readonly type: ColumnType
}

/** The parts of a template, or `null` when its braces do not match. Neighbouring texts are one part. */
export const parseKey = (template: string): ReadonlyArray<KeyPart> | null => {
  const parts: Array<KeyPart> = []
  let rest = template
  while (rest !== "") {
    const match = /^(?:([^{}]+)|\{([^{}]+)\})/.exec(rest)
    if (match === null) return null
    const [whole, text, name] = match
    parts.push(name === undefined ? { _tag: "Text", text: text ?? "" } : { _tag: "Placeholder", name })
    rest = rest.slice(whole.length)
  }
  return parts
}

/**
 * Everything a placeholder may mean: a param, a bound child column, or the owner's column a binding is taken from. One
 * source is right; none is unbound, several are ambiguous.
 */
export const keySources = (graph: GraphData, node: string, placeholder: string): ReadonlyArray<KeySource> => {
  if (nodeOf(graph, node) === undefined) return []
  const sources: Array<KeySource> = []
  const param = Object.hasOwn(graph.params, placeholder) ? graph.params[placeholder] : undefined
  if (param !== undefined) sources.push({ _tag: "Param", name: placeholder, type: param.type })
  for (const { binding, column } of ownershipOf(graph, node).bindings) {
    if (binding !== placeholder && column !== placeholder) continue
    const type = bindingColumn(graph, node, binding)?.type
    if (type !== undefined) sources.push({ _tag: "Binding", name: binding, type })
  }
  return sources
}

/** Characters an encoded value may hold, apart from a uuid's dashes. */
export const encodedCharacters = /^[A-Za-z0-9_.~%]$/

const percent = (character: string): string => `%${character.charCodeAt(0).toString(16).toUpperCase()}`

/**
 * A value as it stands in a key: uuids as they are (fixed length), everything else percent-encoded outside
 * `[A-Za-z0-9_.~]`, the dash included, so that the dash of a template always separates.
 */
export const encodeKeyValue = (type: ColumnType, canonical: string): string =>
  type === "uuid" ? canonical : encodeURIComponent(canonical).replace(/[-!*'()]/g, percent)

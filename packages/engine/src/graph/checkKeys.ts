/**
 * Checks key templates: every placeholder means one thing, every binding is in the key, and no two keys of the graph can be
 * spelled alike. Exists because instances are stored, shown and addressed by key. Pure; called by `validateGraph` only.
 */
import { paramsInFilters } from "./checkFilters.ts"
import type { GraphData } from "./Graph.ts"
import { encodedCharacters, type KeyPart, type KeySource, keySources, parseKey } from "./KeyTemplate.ts"
import type { NodeDef } from "./Node.ts"
import { type GraphProblem, oneOf, problem } from "./problem.ts"
import { columnOf, ownershipOf, tableOf } from "./SyncGraph.ts"
import type { ColumnType } from "./Table.ts"

const keyPath = (node: NodeDef): string => `nodes.${node.id}.key`

const placeholdersOf = (parts: ReadonlyArray<KeyPart>): ReadonlyArray<string> =>
  parts.flatMap((part) => (part._tag === "Placeholder" ? [part.name] : []))

const checkPlaceholder = (graph: GraphData, node: NodeDef, name: string): ReadonlyArray<GraphProblem> => {
  const sources = keySources(graph, node.id, name)
  const [source, ...others] = sources
  if (source !== undefined && others.length === 0) return []
  const bindings = ownershipOf(graph, node.id).bindings.flatMap(({ binding, column }) => [binding, column])
  const usable = oneOf(
    [...new Set([...Object.keys(graph.params), ...bindings])].filter(
      (candidate) => keySources(graph, node.id, candidate).length === 1,
    ),
    "remove the placeholder",
  )
  if (source !== undefined) {
    const meanings = sources
      .map((one) => `${one._tag === "Param" ? "param" : "binding"} "${one.name}"`)
      .join(" or ")
    return [problem(keyPath(node), `{${name}} is ambiguous: ${meanings}`, usable)]
  }
  const column = columnOf(tableOf(graph, node.table), name) !== undefined
  const what = column ? "is a column that nothing binds" : "is no param and no bound column"
  return [problem(keyPath(node), `{${name}} ${what}`, usable)]
}

const checkSeparation = (
  graph: GraphData,
  node: NodeDef,
  parts: ReadonlyArray<KeyPart>,
): ReadonlyArray<GraphProblem> => {
  const problems: Array<GraphProblem> = []
  const named = placeholdersOf(parts).flatMap((name) =>
    keySources(graph, node.id, name).map((source) => source.name),
  )
  for (const { binding, column } of ownershipOf(graph, node.id).bindings) {
    if (named.includes(binding)) continue
    const message = `instances with different "${binding}" would share this key`
    problems.push(problem(keyPath(node), message, `add {${binding}} or {${column}}`))
  }
  let afterPlaceholder = false
  for (const part of parts) {
    if (part._tag === "Placeholder") {
      if (afterPlaceholder) {
        const message = `nothing separates {${part.name}} from the placeholder before it`
        problems.push(problem(keyPath(node), message, 'put a character such as "-" between them'))
      }
      afterPlaceholder = true
    } else if ([...part.text].some((character) => !encodedCharacters.test(character))) {
      afterPlaceholder = false
    }
  }
  return problems
}

/** A key as a pattern: characters, repeated or not. */
interface Step {
  readonly matches: RegExp | string
  readonly repeats: boolean
}

const valueSteps = (type: ColumnType): ReadonlyArray<Step> => {
  if (type === "uuid") {
    const shape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
    return [...shape].map((character) => ({
      matches: character === "x" ? /^[0-9a-f]$/ : "-",
      repeats: false,
    }))
  }
  const integer = type === "int2" || type === "int4" || type === "int8"
  return [{ matches: integer ? /^[0-9%D]$/ : encodedCharacters, repeats: true }]
}

const stepsOf = (graph: GraphData, node: NodeDef, parts: ReadonlyArray<KeyPart>): ReadonlyArray<Step> =>
  parts.flatMap((part): ReadonlyArray<Step> => {
    if (part._tag === "Text") return [...part.text].map((matches) => ({ matches, repeats: false }))
    const source: KeySource | undefined = keySources(graph, node.id, part.name)[0]
    return source === undefined ? [] : valueSteps(source.type)
  })

/** One character of every class the patterns distinguish; two classes meet iff they share one of these. */
const samples = [..."0aADg_.~%-"]

const meet = (left: Step, right: Step): boolean => {
  if (typeof left.matches === "string") {
    return typeof right.matches === "string"
      ? left.matches === right.matches
      : right.matches.test(left.matches)
  }
  if (typeof right.matches === "string") return left.matches.test(right.matches)
  const [one, two] = [left.matches, right.matches]
  return samples.some((sample) => one.test(sample) && two.test(sample))
}

/** Is there a text that both patterns match? A walk over pairs of positions. */
const canCollide = (left: ReadonlyArray<Step>, right: ReadonlyArray<Step>): boolean => {
  const seen = new Set<number>()
  const stack: Array<readonly [number, number]> = [[0, 0]]
  for (let pair = stack.pop(); pair !== undefined; pair = stack.pop()) {
    const [i, j] = pair
    if (i === left.length && j === right.length) return true
    const id = i * (right.length + 1) + j
    if (seen.has(id)) continue
    seen.add(id)
    const [one, two] = [left[i], right[j]]
    if (one?.repeats === true) stack.push([i + 1, j])
    if (two?.repeats === true) stack.push([i, j + 1])
    if (one !== undefined && two !== undefined && meet(one, two)) {
      stack.push([one.repeats ? i : i + 1, two.repeats ? j : j + 1])
    }
  }
  return false
}

const checkCollisions = (
  graph: GraphData,
  templates: ReadonlyArray<readonly [NodeDef, ReadonlyArray<KeyPart>]>,
): ReadonlyArray<GraphProblem> => {
  const patterns = templates
    // A placeholder without a meaning is reported already, and says nothing about collisions.
    .filter(([node, parts]) =>
      placeholdersOf(parts).every((name) => keySources(graph, node.id, name).length === 1),
    )
    .map(([node, parts]) => ({ node, steps: stepsOf(graph, node, parts) }))
  return patterns.flatMap(({ node, steps }, index) =>
    patterns
      .slice(0, index)
      .filter((other) => canCollide(other.steps, steps))
      .map((other) => {
        const message = `a key of "${node.id}" can equal a key of "${other.node.id}" (${other.node.key})`
        return problem(keyPath(node), message, "add a text that tells the nodes apart")
      }),
  )
}

/** Key templates of all nodes. */
export const checkKeys = (graph: GraphData): ReadonlyArray<GraphProblem> => {
  const templates: Array<readonly [NodeDef, ReadonlyArray<KeyPart>]> = []
  const problems = Object.values(graph.nodes).flatMap((node) => {
    const parts = parseKey(node.key)
    if (parts === null)
      return [problem(keyPath(node), `the braces of "${node.key}" do not match`, "write {name}")]
    if (parts.length === 0)
      return [problem(keyPath(node), "the key is empty", "write a text that names the node")]
    templates.push([node, parts])
    return [
      ...[...new Set(placeholdersOf(parts))].flatMap((name) => checkPlaceholder(graph, node, name)),
      ...checkSeparation(graph, node, parts),
    ]
  })
  return [...problems, ...checkCollisions(graph, templates)]
}

/** Params that neither a filter nor a key uses: usually a filter somebody forgot. */
export const checkUnusedParams = (graph: GraphData): ReadonlyArray<GraphProblem> => {
  const used = new Set(paramsInFilters(graph))
  for (const node of Object.values(graph.nodes)) {
    for (const name of placeholdersOf(parseKey(node.key) ?? [])) used.add(name)
  }
  return Object.keys(graph.params)
    .filter((name) => !used.has(name))
    .map((name) =>
      problem(`params.${name}`, "no filter and no key uses it", `use param("${name}") or remove it`),
    )
}

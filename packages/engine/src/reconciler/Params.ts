/**
 * A change of client parameters (the route, the chosen company): from one desired state to the next, without stopping what
 * both share. New demand is entered first and read from the store; only then does the old one end, and then like a lease that
 * closed: kept for `keepFor`. A definition that changed under its key is fetched anew beside the old rows.
 */
import { canonicalText, exampleOf } from "../graph/values.ts"
import { CompileError, compileInstance } from "../protocol/compile.ts"
import { bindingColumn } from "../graph/SyncGraph.ts"
import { type DemandChange, demandRoots, noChange, redemand, withdraw, withdrawRoot } from "./Desired.ts"
import type { World } from "./World.ts"

type Texts = Readonly<Record<string, string>>

/** The new values in canonical spelling. @throws CompileError when one is unknown, not the client's to choose, or of another type */
const checked = (world: World, params: Texts): Texts =>
  Object.fromEntries(
    Object.entries(params).map(([name, value]) => {
      const param = Object.hasOwn(world.graph.params, name) ? world.graph.params[name] : undefined
      const path = `params.${name}`
      if (param === undefined)
        throw new CompileError(path, `unknown parameter; use: ${Object.keys(world.graph.params).join(", ")}`)
      if (param.source !== "client")
        throw new CompileError(path, "comes from the identity; open another database for another user")
      const text = canonicalText(param.type, value)
      if (text === null)
        throw new CompileError(
          path,
          `the value does not fit type ${param.type}; pass Postgres text such as ${exampleOf(param.type)}`,
        )
      return [name, text]
    }),
  )

/** Client parameters that the definition or key of a node's instances depends on. */
const usedBy = (world: World, node: string): ReadonlySet<string> => {
  const { graph } = world
  const bindings = Object.fromEntries(
    (world.ownership.get(node)?.bindings ?? []).map(({ binding }) => [
      binding,
      exampleOf(bindingColumn(graph, node, binding)?.type ?? "text"),
    ]),
  )
  const params = Object.fromEntries(
    Object.entries(graph.params).map(([name, { type }]) => [name, exampleOf(type)]),
  )
  return new Set(Object.keys(compileInstance(graph, node, bindings, params).clientParams))
}

/** As {@link checked}, with the refusal as a value. */
const accepted = (world: World, params: Texts): Texts | CompileError => {
  try {
    return checked(world, params)
  } catch (cause) {
    if (cause instanceof CompileError) return cause
    throw cause
  }
}

/** Takes in new values of client parameters; returns the demand they change, or why they are refused. Nothing is withdrawn yet. */
export const changeParams = (world: World, params: Texts, now: number): DemandChange | CompileError => {
  const change = noChange()
  const values = accepted(world, params)
  if (values instanceof CompileError) return values
  const changed = Object.keys(values).filter((name) => values[name] !== world.params[name])
  if (changed.length === 0) return change
  world.params = { ...world.params, ...values }
  world.journal.add(now, null, "params", changed.join(", "))
  for (const [node, { owner }] of world.ownership) {
    const used = usedBy(world, node)
    if (!changed.some((name) => used.has(name))) continue
    if (owner !== null) redemand(world, owner, node, now, change)
  }
  demandRoots(world, now, change)
  return change
}

/** Ends the demand of former parameters; to be called when that of the new ones has been read. */
export const retire = (world: World): DemandChange => {
  const change = noChange()
  for (const { key, owner } of world.retiring.splice(0)) {
    if (owner === null) withdrawRoot(world, key, change)
    else withdraw(world, owner, key, change)
  }
  return change
}

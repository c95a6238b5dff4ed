/**
 * `pnpm graph [FILE]`: shows a graph as a tree, as Mermaid or as JSON, or everything that is wrong with it. For people and
 * scripts; nothing imports this file. Exit codes: 0 a valid graph, 1 an invalid one, 2 wrong usage or nothing to load.
 */
import { existsSync, readFileSync } from "node:fs"
import { resolve } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { parseArgs } from "node:util"
import { explainMermaid, explainText } from "../graph/explain.ts"
import { graphFromJson } from "../graph/fromJson.ts"
import type { GraphData } from "../graph/Graph.ts"
import type { GraphProblem } from "../graph/problem.ts"
import { bindingColumn, ownershipOf } from "../graph/SyncGraph.ts"
import { exampleOf } from "../graph/values.ts"
import { compileInstance } from "../protocol/compile.ts"
import { showLive } from "./live.ts"

const usage = `Usage: graph [FILE] [--format text|mermaid|json] [--json] [--help]
       graph --live URL [--key KEY] [--json]

Shows a graph: its tree, keys, compiled conditions and policy; or all of its problems. With --live, the state of a
running engine in Node that serves an inspector (serveInspector of @espalier/engine/inspector).

  FILE        a module that exports "graph", or a .json file
              (default: packages/engine/examples/workspaces.graph.ts)
  --format    text (default), mermaid, or json: the graph itself, to be read back by this command
  --json      the same as --format json; with --live, the whole status or explanation
  --live      where the inspector listens, for example http://127.0.0.1:9400
  --key       explain this instance: why it is here, what it waits for, what happened
  --help      this text

Exit code: 0 valid, 1 invalid, 2 wrong usage or nothing to load.`

const formats = ["text", "mermaid", "json"] as const
type Format = (typeof formats)[number]

/** Wrong usage, or nothing to load: a sentence and exit code 2. */
class CommandError extends Error {}

interface Command {
  readonly file: string
  readonly format: Format
  readonly live: { readonly url: string; readonly key: string | null } | null
}

const example = fileURLToPath(new URL("../../examples/workspaces.graph.ts", import.meta.url))

/** `null`: the user asked for help. */
const readCommand = (args: ReadonlyArray<string>): Command | null => {
  const options = {
    format: { type: "string" },
    json: { type: "boolean" },
    live: { type: "string" },
    key: { type: "string" },
    help: { type: "boolean" },
  } as const
  const parsed = orUsage(() => parseArgs({ args: [...args], options, allowPositionals: true }))
  if (parsed.values.help === true) return null
  const [file = example, ...others] = parsed.positionals
  if (others.length > 0) throw new CommandError(`one FILE at most, not ${parsed.positionals.length}`)
  const wanted = parsed.values.format ?? (parsed.values.json === true ? "json" : "text")
  const format = formats.find((known) => known === wanted)
  if (format === undefined) throw new CommandError(`--format must be ${formats.join(", ")}, not "${wanted}"`)
  return { file, format, live: readLive(parsed.values.live, parsed.values.key, parsed.positionals) }
}

const readLive = (
  url: string | undefined,
  key: string | undefined,
  files: ReadonlyArray<string>,
): Command["live"] => {
  if (url === undefined) {
    if (key !== undefined) throw new CommandError("--key needs --live URL")
    return null
  }
  if (files.length > 0) throw new CommandError("a FILE and --live are two questions; ask one")
  if (!URL.canParse(url)) throw new CommandError(`--live must be a URL, not "${url}"`)
  return { url, key: key ?? null }
}

const orUsage = <Value>(parse: () => Value): Value => {
  try {
    return parse()
  } catch (error) {
    throw new CommandError(messageOf(error))
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const locate = (file: string): string => {
  const path = resolve(file)
  if (!existsSync(path)) throw new CommandError(`no such file: ${path}`)
  return path
}

const load = async (path: string): Promise<GraphData> => {
  if (path.endsWith(".json")) {
    const text = readFileSync(path, "utf8")
    return graphFromJson(orUsage(() => JSON.parse(text) as unknown))
  }
  const module: unknown = await import(pathToFileURL(path).href)
  const graph: unknown =
    typeof module === "object" && module !== null && "graph" in module ? module.graph : undefined
  if (graph === undefined) throw new CommandError(`${path} exports no "graph"`)
  // A module may have skipped Graph.make; what it exports is checked like any other input.
  return graphFromJson(graph)
}

/** Values of the right type, because the text of a condition does not depend on them. */
const samples = (graph: GraphData, node: string) => ({
  bindings: Object.fromEntries(
    ownershipOf(graph, node).bindings.map(({ binding }) => [
      binding,
      exampleOf(bindingColumn(graph, node, binding)?.type ?? "text"),
    ]),
  ),
  params: Object.fromEntries(Object.entries(graph.params).map(([name, { type }]) => [name, exampleOf(type)])),
})

const show = (graph: GraphData, format: Format): string => {
  if (format === "json") return JSON.stringify(graph, null, 2)
  if (format === "mermaid") return explainMermaid(graph)
  return explainText(graph, {
    describe: ({ id }) => {
      const { bindings, params } = samples(graph, id)
      const { definition, tagged } = compileInstance(graph, id, bindings, params)
      return [`where  ${definition.where ?? "all rows"}${tagged ? "   (follows moves)" : ""}`]
    },
  })
}

/** By shape, not by class: the module may carry its own copy of this package. */
const problemsOf = (
  error: unknown,
): { readonly graph: string; readonly problems: ReadonlyArray<GraphProblem> } | null =>
  error instanceof Error &&
  "_tag" in error &&
  error._tag === "GraphInvalid" &&
  "problems" in error &&
  "graph" in error
    ? { graph: String(error.graph), problems: error.problems as ReadonlyArray<GraphProblem> }
    : null

const run = async (args: ReadonlyArray<string>): Promise<number> => {
  let command: Command | null = null
  try {
    command = readCommand(args)
    if (command === null) console.log(usage)
    else if (command.live !== null)
      console.log(
        await showLive(command.live.url, { key: command.live.key, json: command.format === "json" }),
      )
    else console.log(show(await load(locate(command.file)), command.format))
    return 0
  } catch (error) {
    const invalid = problemsOf(error)
    if (invalid === null) {
      console.error(
        error instanceof CommandError ? `graph: ${error.message}\n\n${usage}` : `graph: ${messageOf(error)}`,
      )
      return 2
    }
    if (command?.format === "json") console.log(JSON.stringify(invalid, null, 2))
    else console.error(messageOf(error))
    return 1
  }
}

process.exitCode = await run(process.argv.slice(2))

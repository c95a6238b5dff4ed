/** One driver for each way of showing live rows. */
import { and, eq } from "drizzle-orm"
import { pgTable, QueryBuilder, text, uuid } from "drizzle-orm/pg-core"
import { computed } from "vue"
import { sql } from "../../src/index.ts"
import { typed } from "../support/harness.ts"
import type { Driver } from "./contract.ts"

const folders = pgTable("folders", {
  id: uuid().primaryKey(),
  name: text().notNull(),
  workspaceId: uuid("workspace_id"),
})
const workspaces = pgTable("workspaces", { id: uuid().primaryKey(), companyId: uuid("company_id") })
const builder = new QueryBuilder()

export const drivers: ReadonlyArray<Driver> = [
  {
    name: "useRows",
    use: (company) => typed.useRows("folders", { bindings: { company_id: company } }),
    encode: ({ id, name }) => ({ id, name, workspace_id: null, position: 0, archived_at: null }),
    companyOf: (params) => params[0],
    leases: true,
  },
  {
    name: "useLiveQuery with sql",
    use: (company) =>
      typed.useLiveQuery(
        sql<{ id: string; name: string }>`select f.id, f.name from folders f where f.company = ${company}`,
        { key: "id" },
      ),
    encode: (row) => row,
    companyOf: (params) => params[0],
    leases: false,
  },
  {
    name: "useLiveQuery with Drizzle",
    use: (company) =>
      typed.useLiveQuery(
        computed(() =>
          company.value === undefined
            ? null
            : builder
                .select({ id: folders.id, name: folders.name })
                .from(folders)
                .innerJoin(
                  workspaces,
                  and(eq(workspaces.id, folders.workspaceId), eq(workspaces.companyId, company.value)),
                ),
        ),
        { key: "id" },
      ),
    encode: ({ id, name }) => ({ c0: id, c1: name }),
    companyOf: (params) => params[0],
    leases: false,
  },
]

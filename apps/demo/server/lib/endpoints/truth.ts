/**
 * Says which rows of every local table a person may see, by plain joins on the server's tables. It deliberately knows nothing of
 * nodes, shapes or the compiler, so that a test can hold the browser's tables against an independent answer.
 */
import type { TableNameOf } from "@espalier/engine/graph"
import { graph } from "../../../shared/graph.ts"
import type { Statement } from "../database/Database.ts"
import { notFound } from "../http/HttpProblem.ts"
import { uuid } from "../http/validate.ts"
import { endpoint, ok, type Endpoint } from "./Endpoint.ts"

type LocalTable = TableNameOf<typeof graph>

/** Over the server table aliased `t`; `$1` is the person. */
const mayEnter = (company: string): string =>
  `exists (select 1 from company_members mine where mine.user_id = $1::uuid and mine.company_id = ${company})`

const visible: Readonly<Record<LocalTable, string>> = {
  users: "t.id = $1::uuid",
  people: `exists (select 1 from company_members cm where cm.user_id = t.id and ${mayEnter("cm.company_id")})`,
  companies: mayEnter("t.id"),
  company_members: mayEnter("t.company_id"),
  user_groups: mayEnter("t.company_id"),
  user_group_members: `exists (select 1 from user_groups g where g.id = t.group_id and ${mayEnter("g.company_id")})`,
  workspaces: mayEnter("t.company_id"),
  folders: `exists (select 1 from workspaces w where w.id = t.workspace_id and ${mayEnter("w.company_id")})`,
}

const ident = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** One statement per local table: its declared columns as text, sorted by primary key. */
export const truthStatements = (userId: string): ReadonlyArray<readonly [string, Statement]> =>
  Object.values(graph.tables).map((table) => {
    const columns = Object.keys(table.columns).map((column) => `t.${ident(column)}::text as ${ident(column)}`)
    const key = table.primaryKey.map((column) => `t.${ident(column)}`)
    const where = visible[table.name as LocalTable]
    const sql = `select ${columns.join(", ")} from ${ident(table.from)} t where ${where} order by ${key.join(", ")}`
    return [table.name, { sql, params: [userId] }] as const
  })

export const truthEndpoints: ReadonlyArray<Endpoint> = [
  endpoint({
    method: "GET",
    path: "/truth",
    what: "For every local table of the graph, exactly the rows this person may see; values are Postgres text in UTC.",
    query: { userId: uuid },
    run: async ({ database, query }) => {
      const statements = truthStatements(query.userId)
      const [, person, ...results] = await database.transaction([
        // Text of a timestamptz depends on the session's zone.
        { sql: "select set_config('TimeZone', 'UTC', true) as zone" },
        { sql: "select 1 as found from users where id = $1::uuid", params: [query.userId] },
        ...statements.map(([, statement]) => statement),
      ])
      if (person?.rows.length === 0) throw notFound("person", query.userId)
      const tables = Object.fromEntries(statements.map(([name], at) => [name, results[at]?.rows ?? []]))
      return ok({ userId: query.userId, tables })
    },
  }),
]

/** What the types refuse and what they infer. Checked by vue-tsc, never run. */
import { integer, pgTable, QueryBuilder, text } from "drizzle-orm/pg-core"
import { computed, ref } from "vue"
import { createEspalier, defineEspalier, sql, useRows as useAnyRows } from "../../src/index.ts"
import { graph } from "../../examples/graph.ts"

const { useCredentials, useEspalier, useLease, useLiveQuery, useNode, useParams, useRows, useStorage } =
  defineEspalier<typeof graph>()

const notes = pgTable("notes", { title: text().notNull(), size: integer() })
const builder = new QueryBuilder()

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const expectType =
  <Expected>() =>
  <Actual>(_value: Actual, _same: Equal<Actual, Expected>): void => {}

export const infers = (): void => {
  const folder = useRows("folders", { bindings: { company_id: "c1" } }).rows.value[0]
  if (folder !== undefined) {
    expectType<string>()(folder.name, true)
    expectType<number>()(folder.position, true)
    expectType<Date | null>()(folder.archived_at, true)
  }
  // Every option may be a value, a ref or a getter, and so may what is inside.
  useRows("folders", {
    bindings: () => ({ company_id: "c1" }),
    where: { archived_at: null, name: ref("a"), position: () => 3 },
    orderBy: computed(() => [["position", "desc"] as const, "name" as const]),
    limit: ref(10),
    lease: () => false,
  })
  useRows("members", { bindings: { company_id: ref<string | undefined>(undefined) } })
  useRows("companies", { bindings: { id: "c1" }, orderBy: "created_at" })
  useLease("folders", { company_id: () => "c1" })
  useNode("members", { bindings: { company_id: "c1" } })
  const counted = useLiveQuery(sql<{ n: number }>`select count(*) as n from folders`, { key: "n" }).rows
    .value[0]
  expectType<number | undefined>()(counted?.n, true)
  // A Drizzle select carries its own row type.
  const drizzled = useLiveQuery(builder.select({ title: notes.title, size: notes.size }).from(notes), {
    key: "title",
  })
  expectType<{ title: string; size: number | null } | undefined>()(drizzled.rows.value[0], true)
  const plain = useLiveQuery<{ a: string }>({ sql: "select 1 as a", params: [1], tables: ["folders"] }).rows
    .value[0]
  expectType<string | undefined>()(plain?.a, true)
  expectType<typeof graph>()(useEspalier().graph, true)
  createEspalier({ graph, client: () => null })
  // Without a graph type any node name goes and values are unknown.
  expectType<unknown>()(useAnyRows("whatever").rows.value[0]?.["x"], true)
}

/** The awaited form gives the same rows, which cannot be awaited again. */
export const awaits = async (): Promise<string | undefined> => {
  const { rows } = await useRows("folders")
  return rows.value[0]?.name
}

export const refuses = (): void => {
  // @ts-expect-error -- no such node
  useRows("folder")
  // @ts-expect-error -- `folders` is owned per company: its binding is company_id
  useRows("folders", { bindings: { workspace_id: "w1" } })
  // @ts-expect-error -- a root has no bindings
  useRows("mine", { bindings: { user_id: "u1" } })
  // @ts-expect-error -- a binding of a uuid is text
  useRows("members", { bindings: { company_id: 7 } })
  // @ts-expect-error -- no such column
  useRows("members", { where: { rank: "owner" } })
  // @ts-expect-error -- wrong value type
  useRows("folders", { where: { position: "3" } })
  // @ts-expect-error -- no such column to order by
  useRows("folders", { orderBy: "nme" })
  // @ts-expect-error -- no such direction
  useRows("folders", { orderBy: [["name", "up"]] })
  // @ts-expect-error -- no such column in the row
  void useRows("folders").rows.value[0]?.title
  // @ts-expect-error -- rows are read-only
  useRows("folders").rows.value = []
  // @ts-expect-error -- no such node
  useNode("folder")
  // @ts-expect-error -- no such binding
  useLease("members", { id: "c1" })
  // @ts-expect-error -- no such table in the graph
  useLiveQuery(sql`select 1`, { tables: ["folder"] })
  // @ts-expect-error -- no such column in the result of a Drizzle select
  useLiveQuery(builder.select({ title: notes.title }).from(notes), { key: "size" })
  // @ts-expect-error -- credentials are headers and params of text
  useCredentials({ headers: { authorization: 7 } })
  // @ts-expect-error -- parameters are text
  void useParams().setParams({ year: 2026 })
  // @ts-expect-error -- a level is not writable
  useStorage().level.value = "ok"
  // @ts-expect-error -- no such column in the result
  useLiveQuery(sql<{ n: number }>`select 1 as n`, { key: "m" })
}

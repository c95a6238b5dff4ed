/**
 * What `per` compiles to: the same three tables owned by the direct parent, by an ancestor, and by the session. `node packages/engine/examples/per.ts` prints
 * the shapes that one member of a company with two workspaces asks for, and which of them another member would share.
 */
import { eq, Graph, identity, param } from "@espalier/engine/graph"
import { compileInstance } from "@espalier/engine/protocol"

const tables = {
  seats: { columns: { id: "text", user_id: "text", company_id: "text" } },
  workspaces: { columns: { id: "text", company_id: "text", name: "text" } },
  folders: { columns: { id: "text", workspace_id: "text", name: "text" } },
} as const

const roots = {
  seats: { table: "seats", where: eq("user_id", param("userId")), key: "seats" },
  workspaces: {
    table: "workspaces",
    parent: "seats",
    on: { company_id: "company_id" },
    key: "company-{company_id}-workspaces",
  },
} as const
const params = { userId: identity("text") }

// #region per
/** One shape per workspace: the direct parent owns it. */
export const perParent = Graph.make({
  ...{ name: "per-parent", params, tables },
  nodes: {
    ...roots,
    folders: {
      table: "folders",
      parent: "workspaces",
      on: { workspace_id: "id" },
      key: "workspace-{id}-folders",
    },
  },
})

/** One shape per company: its rows are found through the workspaces. */
export const perCompany = Graph.make({
  ...{ name: "per-company", params, tables },
  nodes: {
    ...roots,
    folders: {
      table: "folders",
      parent: "workspaces",
      on: { workspace_id: "id" },
      per: "seats",
      key: "company-{company_id}-folders",
    },
  },
})

/** One shape per person: everything below the session at once. */
export const perRoot = Graph.make({
  ...{ name: "per-root", params, tables },
  nodes: {
    ...roots,
    folders: {
      table: "folders",
      parent: "workspaces",
      on: { workspace_id: "id" },
      per: "root",
      key: "folders",
    },
  },
})
// #endregion

const show = (
  name: string,
  compile: (userId: string) => ReadonlyArray<ReturnType<typeof compileInstance>>,
): void => {
  const [mine, others] = [compile("ada"), compile("bob")]
  for (const [at, { definition, hash, key }] of mine.entries()) {
    const values = Object.values(definition.params).map((value) => `'${value}'`)
    console.log(`${name}  ${key}  (${hash === others[at]?.hash ? "shared with others" : "one person's own"})`)
    console.log(`    where ${definition.where}   -- $1 = ${values.join(", ")}`)
  }
}

show("parent ", (userId) =>
  ["w1", "w2"].map((id) => compileInstance(perParent, "folders", { workspace_id: id }, { userId })),
)
show("company", (userId) => [compileInstance(perCompany, "folders", { company_id: "c1" }, { userId })])
show("root   ", (userId) => [compileInstance(perRoot, "folders", {}, { userId })])

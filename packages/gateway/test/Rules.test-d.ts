/** Type tests, checked by the type checker and never run: rules know their node's bindings. */
import type { graph } from "../../engine/examples/workspaces.graph.ts"
import type { BindingNameOf, Rules } from "../src/index.ts"

type Equals<Left, Right> =
  (<T>() => T extends Left ? 1 : 2) extends <T>() => T extends Right ? 1 : 2 ? true : false
const holds = <_Check extends true>(): void => undefined

holds<Equals<BindingNameOf<typeof graph, "companies">, "id">>()
holds<Equals<BindingNameOf<typeof graph, "members">, "company_id">>()
holds<Equals<BindingNameOf<typeof graph, "people">, "company_id">>()
holds<Equals<BindingNameOf<typeof graph, "folders">, "company_id">>()
holds<Equals<BindingNameOf<typeof graph, "user">, never>>()

const all = {
  user: "public",
  memberships: "public",
  companies: "public",
  members: "public",
  people: "public",
  groups: "public",
  groupMembers: "public",
  workspaces: "public",
  folders: "public",
} as const
export const right: Rules<typeof graph> = { ...all, folders: ({ bindings }) => bindings.company_id !== "" }
// @ts-expect-error folders are bound by company_id
export const wrong: Rules<typeof graph> = { ...all, folders: ({ bindings }) => bindings.workspace_id !== "" }
// @ts-expect-error rules for all nodes but one
export const missing: Rules<typeof graph> = { ...all, folders: undefined }

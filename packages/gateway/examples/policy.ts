/** An app's own rules under test, without a server. */
import { policyOf } from "@espalier/gateway/testing"
import { graph } from "../../engine/examples/workspaces.graph.ts"
import { type Caller, rulesOver } from "./gateway.ts"

// #region policy
const amara = "10000000-0000-4000-8000-000000000001"
const hers = "20000000-0000-4000-8000-000000000001"
const foreign = "20000000-0000-4000-8000-000000000002"

const { expectAllowed, expectDenied } = policyOf<typeof graph, Caller>({
  graph,
  rules: rulesOver({ isMember: async (userId, companyId) => userId === amara && companyId === hers }),
})

export const rulesHold = async (): Promise<void> => {
  const caller = { params: { userId: amara } }
  await expectAllowed(caller, "members", { company_id: hers })
  await expectDenied(caller, "members", { company_id: foreign })
  await expectDenied(null, "memberships", {}, {}, 401)
}
// #endregion

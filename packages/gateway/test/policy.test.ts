/** The test kit for rules decides as the gateway does. */
import { describe, expect, it } from "vitest"
import { graph } from "../../engine/examples/workspaces.graph.ts"
import type { GatewayIdentity, Rules } from "../src/index.ts"
import { policyOf } from "../src/testing.ts"

const userId = "5ee78a10-0000-4000-8000-000000000001"
const mine = "c0c0c0c0-0000-4000-8000-000000000007"
const foreign = "c0c0c0c0-0000-4000-8000-000000000008"
const amara: GatewayIdentity = { params: { userId } }

const isMine = ({ bindings }: { readonly bindings: { readonly company_id: string } }): boolean =>
  bindings.company_id === mine
const rules: Rules<typeof graph> = {
  user: "public",
  memberships: "public",
  companies: ({ bindings }) => bindings.id === mine,
  members: isMine,
  people: isMine,
  groups: isMine,
  groupMembers: isMine,
  workspaces: isMine,
  folders: () => {
    throw new Error("the database is down")
  },
}
const { decide, expectAllowed, expectDenied } = policyOf({ graph, rules })

describe("a policy", () => {
  it("shows the instance that an allowed caller gets", async () => {
    const instance = await expectAllowed(amara, "members", { company_id: mine.toUpperCase() })
    expect(instance.bindings).toEqual({ company_id: mine })
    expect((await expectAllowed(amara, "memberships", {})).definition.params).toEqual({ 1: userId })
  })

  it("says who is refused, and with what", async () => {
    await expectDenied(amara, "members", { company_id: foreign })
    await expectDenied(null, "memberships", {}, {}, 401)
    expect(await decide(amara, "members", { company_id: foreign })).toMatchObject({
      status: 403,
      code: "revoked",
    })
  })

  it("fails the test when the rule says otherwise, in words that name caller, node and bindings", async () => {
    await expect(expectAllowed(amara, "members", { company_id: foreign })).rejects.toThrow(
      `${JSON.stringify(amara.params)} asking for members {"company_id":"${foreign}"} is refused: 403 revoked`,
    )
    await expect(expectDenied(amara, "members", { company_id: mine })).rejects.toThrow("is let through")
    await expect(expectDenied(amara, "members", { company_id: "1" })).rejects.toThrow("400 bad_request")
  })

  it("shows why a rule failed, which a client never hears", async () => {
    await expect(decide(amara, "folders", { company_id: mine })).rejects.toThrow("the database is down")
  })
})

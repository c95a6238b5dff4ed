/** Remembered decisions: for whom they hold, for how long, and how they are taken back. */
import { beforeEach, describe, expect, it } from "vitest"
import { Decisions, maxDecisions, means, type Question, subjectOf } from "../src/decisions.ts"

const question = (change: Partial<Question> = {}): Question => ({
  identity: { params: { userId: "u1" } },
  node: "members",
  bindings: { company_id: "c1" },
  ...change,
})

const identity = (more: object): Question["identity"] => ({ params: { userId: "u1" }, ...more })

let now = 0
let asked = 0
beforeEach(() => {
  now = 0
  asked = 0
})

const yes = (): boolean => {
  asked += 1
  return true
}
const remembering = async (first: Question, millis = 1_000): Promise<Decisions> => {
  const decisions = new Decisions(millis, () => now)
  expect(await decisions.decide(first, yes)).toBe(true)
  return decisions
}
/** Whether a question is asked, rather than answered from memory. */
const isAsked = async (decisions: Decisions, question: Question): Promise<boolean> => {
  const before = asked
  await decisions.decide(question, yes)
  return asked > before
}

describe("a remembered yes", () => {
  it("holds until its time is over", async () => {
    const decisions = await remembering(question())
    now = 999
    expect(await isAsked(decisions, question())).toBe(false)
    now = 1_000
    expect(await isAsked(decisions, question())).toBe(true)
  })

  it.each([
    ["another caller", question({ identity: { params: { userId: "u2" } } })],
    ["the same caller in another role", question({ identity: identity({ role: "guest" }) })],
    ["the same caller with other credentials", question({ identity: identity({ expiresAt: 1 }) })],
    ["another node", question({ node: "people" })],
    ["another binding", question({ bindings: { company_id: "c2" } })],
    ["a binding of another name", question({ bindings: { id: "c1" } })],
  ])("says nothing of %s", async (_name, other) => {
    expect(await isAsked(await remembering(question()), other)).toBe(true)
  })

  it("does not depend on the order of keys", async () => {
    const decisions = await remembering(question({ bindings: { a: "1", b: "2" } }))
    expect(await isAsked(decisions, question({ bindings: { b: "2", a: "1" } }))).toBe(false)
  })

  it("is not kept for an identity that cannot be compared", async () => {
    const first = question({ identity: identity({ roles: new Set(["admin"]) }) })
    expect(await isAsked(await remembering(first), first)).toBe(true)
  })

  it("is not kept at all for 0 ms", async () => {
    expect(await isAsked(await remembering(question(), 0), question())).toBe(true)
  })

  it("is forgotten by what a revocation means, and by nothing else", async () => {
    const decisions = await remembering(question())
    decisions.forget({ bindings: { company_id: "c2" } })
    expect(await isAsked(decisions, question())).toBe(false)
    decisions.forget({ params: { userId: "u1" } })
    expect(await isAsked(decisions, question())).toBe(true)
  })

  it("leaves the oldest out when there are too many", async () => {
    const decisions = await remembering(question())
    for (let i = 0; i < maxDecisions; i++) await decisions.decide(question({ node: `node ${i}` }), yes)
    expect(await isAsked(decisions, question({ node: `node ${maxDecisions - 1}` }))).toBe(false)
    expect(await isAsked(decisions, question())).toBe(true)
  })
})

describe("a no", () => {
  it("is asked again, and a failure too", async () => {
    const decisions = new Decisions(1_000, () => now)
    expect(await decisions.decide(question(), () => false)).toBe(false)
    await expect(decisions.decide(question(), () => Promise.reject(new Error("down")))).rejects.toThrow(
      "down",
    )
    expect(await isAsked(decisions, question())).toBe(true)
  })

  it("is anything but exactly true", async () => {
    const vague = new Decisions(1_000, () => now)
    expect(await vague.decide(question(), (() => "yes") as unknown as () => boolean)).toBe(false)
  })
})

describe("a question that is being asked", () => {
  it("is asked once for all who wait for it, unless a revocation comes between", async () => {
    const decisions = new Decisions(1_000, () => now)
    const answer = Promise.withResolvers<boolean>()
    const ask = (): Promise<boolean> => {
      asked += 1
      return answer.promise
    }
    const before = [decisions.decide(question(), ask), decisions.decide(question(), ask)]
    expect(asked).toBe(1)
    decisions.forget({ params: { userId: "u1" } })
    const after = decisions.decide(question(), () => false)
    answer.resolve(true)
    expect(await Promise.all([...before, after])).toEqual([true, true, false])
    expect(await isAsked(decisions, question())).toBe(true)
  })
})

describe("a revocation", () => {
  it.each([
    [{}, true],
    [{ node: "members" }, true],
    [{ node: "people" }, false],
    [{ bindings: { company_id: "c1" } }, true],
    [{ bindings: { company_id: "c1", toString: "x" } }, false],
    [{ params: { userId: "u1" }, bindings: { company_id: "c2" } }, false],
    [{ subject: "session 1" }, false],
  ])("%j means the question: %j", (target, expected) => {
    expect(means(target, question())).toBe(expected)
  })
})

describe("a caller's name", () => {
  it("is the app's word, or the params in one spelling", () => {
    expect(subjectOf({ params: { b: "2", a: "1" } })).toBe(subjectOf({ params: { a: "1", b: "2" } }))
    expect(subjectOf({ params: { a: "1" } })).not.toBe(subjectOf({ params: { a: "2" } }))
    expect(subjectOf({ params: {}, subject: "session 1" })).toBe("session 1")
  })
})

/** The attack suite, a fixed sample of its long run, and proof that it finds what there is to find. */
import { PGlite } from "@electric-sql/pglite"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { attackDecisions } from "../attack/decisions.ts"
import { generate, targetOf } from "../attack/generate.ts"
import { attackHttp } from "../attack/http.ts"
import { seeded } from "@espalier/engine/testing"
import { company, person, type Reach, reachOf, rules, seed as seedWorld } from "../attack/world.ts"

let db: PGlite
let reach: Reach

beforeAll(async () => {
  db = await PGlite.create()
  await seedWorld(db)
  reach = await reachOf(db)
})
afterAll(() => db.close())

const nothing = { leaks: 0, undocumentedRefusals: 0, crashes: 0, findings: [] }

describe("an attack", () => {
  it("on the decision gets no row outside the caller's reach, and only documented refusals", async () => {
    const report = await attackDecisions({ db, reach, seed: 1, requests: 10_000 })
    expect(report).toMatchObject({ ...nothing, requests: 10_000 })
    expect(report.allowed).toBeGreaterThan(500)
    expect(Object.keys(report.codes)).toEqual(
      expect.arrayContaining([
        "bad_request",
        "revoked",
        "unauthenticated",
        "unknown_node",
        "method_not_allowed",
      ]),
    )
  })

  it("over HTTP gets no row outside the caller's reach, nothing that a cache may keep, and never the secret", async () => {
    const report = await attackHttp({ db, reach, seed: 1, requests: 1_500 })
    expect(report).toMatchObject({ ...nothing, httpRequests: 1_500 })
    expect(report.rows).toBeGreaterThan(100)
  })

  it("finds a rule that lets everybody in, both ways", async () => {
    const careless = { ...rules, members: "public" as const }
    const decided = await attackDecisions({ db, reach, seed: 1, requests: 1_000, rules: careless })
    expect(decided.leaks).toBeGreaterThan(0)
    const served = await attackHttp({ db, reach, seed: 1, requests: 300, rules: careless })
    expect(served.leaks).toBeGreaterThan(0)
  })

  it("finds a rule that throws", async () => {
    const broken = {
      ...rules,
      docs: (): boolean => {
        throw new Error("broken")
      },
    }
    expect(
      (await attackDecisions({ db, reach, seed: 1, requests: 500, rules: broken })).crashes,
    ).toBeGreaterThan(0)
  })

  it("makes the same requests for the same seed", () => {
    const made = (seed: number): ReadonlyArray<string> => {
      const random = seeded(seed)
      return Array.from({ length: 200 }, () => targetOf(generate(random, ["1-1"])))
    }
    expect(made(7)).toEqual(made(7))
    expect(made(7)).not.toEqual(made(8))
  })
})

describe("the oracle", () => {
  it("knows what a person reaches, and what not", () => {
    const first = reach.get(person(1))
    expect(first?.has(`companies ${company(1)}`)).toBe(true)
    expect(first?.has(`companies ${company(3)}`)).toBe(false)
    expect(first?.has(`people ${person(2)}`)).toBe(true)
    expect(first?.has(`people ${person(3)}`)).toBe(false)
    expect([...(reach.get(person(4)) ?? [])].filter((key) => key.startsWith("companies"))).toEqual([])
  })
})

import { describe, expect, it } from "@effect/vitest"
import { Forbidden, Network, ShapeError } from "@espalier/engine/protocol"
import { clockJump } from "../../src/reconciler/ClockWatch.ts"
import { Journal } from "../../src/reconciler/Journal.ts"
import { PauseLock } from "../../src/reconciler/PauseLock.ts"
import { backoffMillis, isTerminal, minBackoffMillis } from "../../src/reconciler/retryPolicy.ts"

const config = { backoffBaseMillis: 500, backoffCapMillis: 15_000 }

describe("backoffMillis", () => {
  it("never goes under the shortest wait nor over cap plus shortest wait (I5)", () => {
    for (let attempt = 1; attempt < 200; attempt++)
      for (const random of [0, 0.3, 0.999999]) {
        const wait = backoffMillis(attempt, random, 0, config)
        expect(wait).toBeGreaterThanOrEqual(minBackoffMillis)
        expect(wait).toBeLessThanOrEqual(config.backoffCapMillis + minBackoffMillis)
      }
  })

  it("takes Retry-After as a floor", () => {
    expect(backoffMillis(1, 0.5, 60_000, config)).toBe(60_000)
  })

  it("doubles its ceiling with each attempt until the cap", () => {
    const ceilings = [1, 2, 3, 4, 5, 6, 7].map(
      (attempt) => backoffMillis(attempt, 1, 0, config) - minBackoffMillis,
    )
    expect(ceilings).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000])
  })
})

describe("isTerminal", () => {
  const revoked = new ShapeError({ key: "k", reason: new Forbidden({ revoked: true, message: "" }) })
  it("waits out a few denials of a young instance, and no others", () => {
    expect(isTerminal(revoked, { desiredForMillis: 100, attempt: 1 })).toBe(false)
    expect(isTerminal(revoked, { desiredForMillis: 100, attempt: 4 })).toBe(true)
    expect(isTerminal(revoked, { desiredForMillis: 60_000, attempt: 1 })).toBe(true)
  })
  it("is false for whatever waiting can clear", () => {
    const network = new ShapeError({ key: "k", reason: new Network({ message: "" }) })
    expect(isTerminal(network, { desiredForMillis: 60_000, attempt: 99 })).toBe(false)
  })
})

describe("PauseLock", () => {
  it("reports only the first reason taken and the last one lifted", () => {
    const lock = new PauseLock()
    expect(lock.acquire("offline")).toBe(true)
    expect(lock.acquire("offline")).toBe(false)
    expect(lock.acquire("manual")).toBe(false)
    expect(lock.reasons).toEqual(["manual", "offline"])
    expect(lock.release("offline")).toBe(false)
    expect(lock.release("offline")).toBe(false)
    expect(lock.release("hidden")).toBe(false)
    expect(lock.release("manual")).toBe(true)
    expect(lock.isPaused).toBe(false)
  })
})

describe("clockJump", () => {
  const before = { wall: 1_000, monotonic: 50 }
  const later = (wall: number, monotonic: number) => ({ wall: 1_000 + wall, monotonic: 50 + monotonic })
  it("is nothing while both clocks go on together, however long the loop was busy", () => {
    expect(clockJump(before, later(10_000, 10_000), null, 15_000)).toBe(0)
    expect(clockJump(before, later(900_000, 900_000), null, 15_000)).toBe(0)
  })

  it("is how far the wall clock went alone, either way", () => {
    expect(clockJump(before, later(3_600_000, 0), null, 15_000)).toBe(3_600_000)
    expect(clockJump(before, later(-3_600_000, 5_000), null, 15_000)).toBe(-3_605_000)
  })

  it("is how late the loop woke where the other clock runs on during sleep", () => {
    expect(clockJump(before, later(3_600_000, 3_600_000), 2_000, 15_000)).toBe(3_599_000)
    expect(clockJump(before, later(3_600_000, 3_600_000), 3_590_000, 15_000)).toBe(0)
  })
})

describe("Journal", () => {
  it("keeps the newest lines, oldest first, numbered without gaps", () => {
    const journal = new Journal(3)
    for (let i = 0; i < 5; i++) journal.add(i, i % 2 === 0 ? "even" : null, "event", String(i))
    expect(journal.entries().map((entry) => entry.seq)).toEqual([2, 3, 4])
    expect(journal.entries("even").map((entry) => entry.detail)).toEqual(["2", "4"])
  })
})

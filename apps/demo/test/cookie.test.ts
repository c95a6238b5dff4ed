import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { cookieFromHeader, cookieName, signSession, verifySession } from "../server/lib/session/cookie.ts"
import { sessionSecret } from "../server/lib/session/secret.ts"

const secret = "a secret of sixteen or more"
const userId = "10000000-0000-4000-8000-000000000001"
const now = Date.parse("2026-11-22T12:00:00Z")
const signed = signSession({ userId, expiresAt: now + 1000 }, secret)

describe("session cookie", () => {
  it("names the person it was signed for", () => {
    const session = { userId, expiresAt: now + 1000 }
    expect(verifySession(signed, secret, now)).toEqual({ _tag: "valid", session })
  })

  it("is absent when there is none, which is not an error", () => {
    expect(verifySession(undefined, secret, now)).toEqual({ _tag: "absent" })
  })

  it("ends with its expiry", () => {
    expect(verifySession(signed, secret, now + 999)._tag).toBe("valid")
    expect(verifySession(signed, secret, now + 1000)._tag).toBe("invalid")
  })

  it("is invalid under another secret", () => {
    expect(verifySession(signed, "another secret, also long", now)._tag).toBe("invalid")
  })

  it("is invalid when any one character is changed, added or removed", () => {
    for (let at = 0; at < signed.length; at += 1) {
      const other = signed[at] === "A" ? "B" : "A"
      const changed = signed.slice(0, at) + other + signed.slice(at + 1)
      const removed = signed.slice(0, at) + signed.slice(at + 1)
      expect(verifySession(changed, secret, now)._tag).toBe("invalid")
      expect(verifySession(removed, secret, now)._tag).toBe("invalid")
    }
    expect(verifySession(`${signed}A`, secret, now)._tag).toBe("invalid")
    expect(verifySession(`${signed}.`, secret, now)._tag).toBe("invalid")
  })

  it.each(["", ".", "...", "v1...", "null", "%00", "v1.x.y.z", "\u{1f4a5}", `v1.${"9".repeat(10_000)}`])(
    "is invalid, and no crash, for %j",
    (value) => {
      expect(verifySession(value, secret, now)._tag).toBe("invalid")
    },
  )

  it("is found among other cookies", () => {
    expect(cookieFromHeader(`theme=dark; ${cookieName}=${signed}; x${cookieName}=no`)).toBe(signed)
    expect(cookieFromHeader("theme=dark")).toBeUndefined()
    expect(cookieFromHeader(null)).toBeUndefined()
  })
})

describe("session secret", () => {
  let dir: string
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "espalier-secret-"))
  })
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  it("is made once per data directory and kept", () => {
    const first = sessionSecret(undefined, join(dir, "data"))
    expect(first.length).toBeGreaterThanOrEqual(32)
    expect(sessionSecret(undefined, join(dir, "data"))).toBe(first)
    expect(readFileSync(join(dir, "data", "session-secret"), "utf8").trim()).toBe(first)
    expect(sessionSecret(undefined, join(dir, "other"))).not.toBe(first)
  })

  it("comes from the environment where one is set", () => {
    expect(sessionSecret("0123456789abcdef", dir)).toBe("0123456789abcdef")
  })

  it("refuses a short one and a damaged one in words", () => {
    expect(() => sessionSecret("short", dir)).toThrow("SESSION_SECRET must have at least 16 characters")
    writeFileSync(join(dir, "session-secret"), "x")
    expect(() => sessionSecret(undefined, dir)).toThrow("is damaged")
  })
})

/**
 * Signs and verifies the session cookie. The cookie names a person and an expiry; an HMAC over both makes it unforgeable. It
 * must never throw on what a browser sends: anything but a valid cookie is `invalid`. Pure; called by `session.ts` and tests.
 */
import { createHmac, timingSafeEqual } from "node:crypto"

/** Who is signed in, as the cookie says it. */
export interface Session {
  readonly userId: string
  /** Epoch milliseconds. */
  readonly expiresAt: number
}

/** `absent`: nobody claims anything. `invalid`: a corrupt, forged or expired cookie, to be cleared. */
export type CookieVerdict =
  | { readonly _tag: "absent" }
  | { readonly _tag: "invalid" }
  | { readonly _tag: "valid"; readonly session: Session }

export const cookieName = "espalier_session"

/** How long a sign-in lasts: 30 days. */
export const sessionMillis = 30 * 24 * 60 * 60 * 1000

const version = "v1"
const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

const mac = (payload: string, secret: string): Buffer => createHmac("sha256", secret).update(payload).digest()

/** The cookie's value: `v1.<userId>.<expiry>.<hmac>`. */
export const signSession = (session: Session, secret: string): string => {
  const payload = `${version}.${session.userId}.${session.expiresAt}`
  return `${payload}.${mac(payload, secret).toString("base64url")}`
}

/** Checks a cookie's value at the time `now` (epoch milliseconds). */
export const verifySession = (value: string | undefined, secret: string, now: number): CookieVerdict => {
  if (value === undefined) return { _tag: "absent" }
  const parts = value.split(".")
  const [prefix, userId, expiry, signature] = parts
  if (parts.length !== 4 || prefix !== version || !userId || !expiry || !signature) return { _tag: "invalid" }
  const expected = mac(`${prefix}.${userId}.${expiry}`, secret)
  const given = Buffer.from(signature, "base64url")
  // Compared as bytes in constant time; the re-encoding refuses a second spelling of the same bytes.
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return { _tag: "invalid" }
  if (given.toString("base64url") !== signature) return { _tag: "invalid" }
  const expiresAt = Number(expiry)
  if (!uuidPattern.test(userId) || !Number.isSafeInteger(expiresAt) || expiresAt <= now)
    return { _tag: "invalid" }
  return { _tag: "valid", session: { userId, expiresAt } }
}

/** The session cookie among all cookies of a request's `cookie` header. */
export const cookieFromHeader = (header: string | null | undefined): string | undefined => {
  for (const pair of (header ?? "").split(";")) {
    const at = pair.indexOf("=")
    if (at > 0 && pair.slice(0, at).trim() === cookieName) return pair.slice(at + 1).trim()
  }
  return undefined
}

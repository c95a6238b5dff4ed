/** Callers known by a token: every algorithm family, every way a token can be wrong, and a key set that rotates, over real HTTP. */
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from "jose"
import { describe, expect, it } from "vitest"
import { jwtIdentity, type JwtAlgorithm, type JwtOptions } from "../src/jwt.ts"
import type { GatewayIdentity } from "../src/Rules.ts"
import { upstream } from "./support/upstream.ts"

const userId = "5ee78a10-0000-4000-8000-000000000001"
const secret = new TextEncoder().encode("a shared secret of more than thirty-two bytes")
const exp = Math.floor(Date.now() / 1000) + 600

const bearing = (token: string): Request =>
  new Request("http://gateway.test/", { headers: { authorization: `Bearer ${token}` } })
const signed = (
  alg: string,
  key: CryptoKey | Uint8Array,
  claims: object = {},
  kid?: string,
): Promise<string> =>
  new SignJWT({ sub: userId, iss: "us", aud: "them", exp, ...claims })
    .setProtectedHeader({ alg, ...(kid === undefined ? {} : { kid }) })
    .sign(key)

const options = (change: Partial<JwtOptions<GatewayIdentity>> = {}): JwtOptions<GatewayIdentity> => ({
  key: { secret },
  algorithms: ["HS256"],
  issuer: "us",
  audience: "them",
  identity: ({ sub }) => (sub === undefined ? null : { params: { userId: sub } }),
  ...change,
})

describe("a token", () => {
  it.each<JwtAlgorithm>(["RS256", "PS256", "ES256", "ES384", "EdDSA"])(
    "signed with %s is verified",
    async (alg) => {
      const { privateKey, publicKey } = await generateKeyPair(alg)
      const identify = jwtIdentity(options({ key: { publicKey }, algorithms: [alg] }))
      expect(await identify(bearing(await signed(alg, privateKey)))).toEqual({
        params: { userId },
        expiresAt: exp * 1000,
      })
      const another = await generateKeyPair(alg)
      expect(await identify(bearing(await signed(alg, another.privateKey)))).toBeNull()
    },
  )

  it("signed with a shared secret is verified", async () => {
    expect(await jwtIdentity(options())(bearing(await signed("HS256", secret)))).toEqual({
      params: { userId },
      expiresAt: exp * 1000,
    })
  })

  it.each<readonly [string, () => string | Promise<string>]>([
    ["is missing", () => ""],
    ["is no token", () => "a.b.c"],
    ["is signed by nobody", () => new UnsecuredJWT({ sub: userId, iss: "us", aud: "them", exp }).encode()],
    ["has expired", () => signed("HS256", secret, { exp: 1_000 })],
    ["never expires", () => signed("HS256", secret, { exp: undefined })],
    ["is not valid yet", () => signed("HS256", secret, { nbf: exp })],
    ["is of another issuer", () => signed("HS256", secret, { iss: "somebody" })],
    ["is for another audience", () => signed("HS256", secret, { aud: "others" })],
    ["is signed with another secret", () => signed("HS256", new Uint8Array(32))],
    ["is signed with another algorithm", () => signed("HS384", secret)],
    ["names nobody", () => signed("HS256", secret, { sub: undefined })],
    ["is very long", () => signed("HS256", secret, { pad: "x".repeat(10_000) })],
  ])("that %s is nobody", async (_name, token) => {
    expect(await jwtIdentity(options())(bearing(await token()))).toBeNull()
  })

  it("with one character changed is nobody", async () => {
    const token = await signed("HS256", secret)
    const [head, body, mac] = token.split(".") as [string, string, string]
    const flipped = (part: string): string => `${part.startsWith("A") ? "B" : "A"}${part.slice(1)}`
    for (const forged of [
      [flipped(head), body, mac],
      [head, flipped(body), mac],
      [head, body, flipped(mac)],
    ]) {
      expect(await jwtIdentity(options())(bearing(forged.join(".")))).toBeNull()
    }
  })

  it("may stand where the app says, and ends when the app says so", async () => {
    const token = await signed("HS256", secret)
    const identify = jwtIdentity(
      options({
        token: (request) => request.headers.get("x-token"),
        identity: () => ({ params: { userId }, expiresAt: 5 }),
      }),
    )
    expect(await identify(new Request("http://gateway.test/", { headers: { "x-token": token } }))).toEqual({
      params: { userId },
      expiresAt: 5,
    })
  })
})

describe("a public key", () => {
  it("is never taken for a shared secret", async () => {
    const { publicKey } = await generateKeyPair("RS256", { extractable: true })
    const { n = "" } = await exportJWK(publicKey)
    const identify = jwtIdentity(options({ key: { publicKey }, algorithms: ["RS256"] }))
    expect(await identify(bearing(await signed("HS256", new TextEncoder().encode(n))))).toBeNull()
    expect(() => jwtIdentity(options({ key: { publicKey }, algorithms: ["RS256", "HS256"] }))).toThrow(
      "HS256",
    )
  })

  it("and a secret are refused when they cannot work", () => {
    expect(() => jwtIdentity(options({ key: { secret: "short" } }))).toThrow("at least 32")
    expect(() => jwtIdentity(options({ algorithms: ["RS256"] }))).toThrow("shared secret")
    expect(() => jwtIdentity(options({ algorithms: [] }))).toThrow("at least one")
  })
})

describe("a key set", () => {
  it("is asked again when a token names a key that it does not have", async () => {
    const [first, second] = await Promise.all([
      generateKeyPair("ES256", { extractable: true }),
      generateKeyPair("ES256", { extractable: true }),
    ])
    let keys = [{ ...(await exportJWK(first.publicKey)), kid: "1", alg: "ES256" }]
    await using issuer = await upstream((_request, response) => {
      response.writeHead(200, { "content-type": "application/json" })
      response.end(JSON.stringify({ keys }))
    })
    const make = () =>
      jwtIdentity(options({ key: { jwks: `${issuer.url}/jwks.json` }, algorithms: ["ES256"] }))
    const identify = make()
    expect(await identify(bearing(await signed("ES256", first.privateKey, {}, "1")))).not.toBeNull()
    expect(await identify(bearing(await signed("ES256", first.privateKey, {}, "1")))).not.toBeNull()
    expect(issuer.requests).toHaveLength(1)
    keys = [{ ...(await exportJWK(second.publicKey)), kid: "2", alg: "ES256" }]
    // Right after a fetch an unknown key is not worth another one: a flood of bad tokens must not flood the issuer.
    expect(await identify(bearing(await signed("ES256", second.privateKey, {}, "2")))).toBeNull()
    expect(issuer.requests).toHaveLength(1)
    expect(await make()(bearing(await signed("ES256", second.privateKey, {}, "2")))).not.toBeNull()
    expect(await make()(bearing(await signed("ES256", first.privateKey, {}, "1")))).toBeNull()
  })

  it("that cannot be had is the server's failure, not the caller's", async () => {
    await using issuer = await upstream((_request, response) => {
      response.writeHead(500)
      response.end()
    })
    const identify = jwtIdentity(options({ key: { jwks: issuer.url }, algorithms: ["ES256"] }))
    const { privateKey } = await generateKeyPair("ES256")
    await expect(identify(bearing(await signed("ES256", privateKey)))).rejects.toBeDefined()
  })
})

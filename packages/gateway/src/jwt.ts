/**
 * Callers known by a JSON Web Token, verified by `jose`: an `identify` for the gateway. Exists so that nobody verifies tokens by hand. A
 * token that cannot be verified is nobody (401); a key set that cannot be fetched is the server's failure (500), never an open door.
 */
import {
  createRemoteJWKSet,
  customFetch,
  errors,
  type JWTPayload,
  jwtVerify,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
} from "jose"
import type { GatewayIdentity } from "./Rules.ts"

/** Algorithms a token may be signed with. `none` is not among them. */
export type JwtAlgorithm =
  | "HS256"
  | "HS384"
  | "HS512"
  | "RS256"
  | "RS384"
  | "RS512"
  | "PS256"
  | "PS384"
  | "PS512"
  | "ES256"
  | "ES384"
  | "ES512"
  | "EdDSA"
  | "Ed25519"

/** Where the key is. */
export type JwtKey =
  /** A shared secret (HS…): at least 32 bytes. */
  | { readonly secret: Uint8Array | string }
  /** A public key (RS…, PS…, ES…, EdDSA). */
  | { readonly publicKey: CryptoKey }
  /** A key set's address; fetched when needed, kept for ten minutes, fetched again when a token names a key that is not in it (rotation). */
  | { readonly jwks: string | URL }

/** What `jwtIdentity` takes. */
export interface JwtOptions<Identity extends GatewayIdentity> {
  readonly key: JwtKey
  /** Exactly these algorithms; those of another kind of key are refused at once. */
  readonly algorithms: ReadonlyArray<JwtAlgorithm>
  /** Expected `iss`. */
  readonly issuer?: string
  /** Expected `aud`. */
  readonly audience?: string
  /** Seconds that clocks may differ. Default 5. */
  readonly clockToleranceSeconds?: number
  /** The graph's identity params, and whatever the rules need, of verified claims; null refuses the caller. */
  readonly identity: (claims: JWTPayload) => Identity | null
  /** Where the token is. Default: `Authorization: Bearer …`. */
  readonly token?: (request: Request) => string | null
  /** Fetches key sets. Default: the runtime's `fetch`. */
  readonly fetch?: typeof globalThis.fetch
}

/** Bytes of a shared secret at least: a shorter one can be guessed offline. Source: RFC 7518 §3.2, for HS256. */
export const minSecretBytes = 32
/** Characters of a token at most; a longer one is nobody's. */
export const maxTokenLength = 8_192

const bearer = (request: Request): string | null =>
  /^Bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(request.headers.get("authorization") ?? "")?.[1] ?? null

type GetKey = (...parameters: Parameters<JWTVerifyGetKey>) => Promise<CryptoKey | Uint8Array>

const keyOf = ({ fetch, key }: Pick<JwtOptions<GatewayIdentity>, "fetch" | "key">): GetKey => {
  if ("publicKey" in key) return () => Promise.resolve(key.publicKey)
  if ("secret" in key) {
    const secret = typeof key.secret === "string" ? new TextEncoder().encode(key.secret) : key.secret
    if (secret.byteLength < minSecretBytes) {
      throw new RangeError(`key.secret: has ${secret.byteLength} bytes, needs at least ${minSecretBytes}`)
    }
    return () => Promise.resolve(secret)
  }
  const set = createRemoteJWKSet(new URL(key.jwks), {
    ...(fetch === undefined ? {} : { [customFetch]: fetch }),
  })
  return (header, token) => set(header, token)
}

/** The algorithms must fit the key: a public key taken for a shared secret is the oldest attack on JWTs. */
const checkAlgorithms = ({
  algorithms,
  key,
}: Pick<JwtOptions<GatewayIdentity>, "algorithms" | "key">): void => {
  if (algorithms.length === 0) throw new RangeError("algorithms: name at least one, such as RS256")
  const shared = "secret" in key
  const wrong = algorithms.find((algorithm) => algorithm.startsWith("HS") !== shared)
  if (wrong !== undefined) {
    throw new RangeError(
      `algorithms: ${wrong} does not go with ${shared ? "a shared secret" : "a public key"}`,
    )
  }
}

/** Failures that are the server's and not the caller's. */
const isServerFault = (cause: unknown): boolean =>
  cause instanceof errors.JWKSTimeout ||
  cause instanceof errors.JWKSInvalid ||
  !(cause instanceof errors.JOSEError) ||
  // What jose throws when the key set's server answers anything but 200.
  cause.code === "ERR_JOSE_GENERIC"

/**
 * An `identify` that verifies a JWT. `expiresAt` of the identity is the token's `exp`, so that a waiting request ends with it.
 *
 * @throws RangeError when the key is too short, or an algorithm does not go with it
 */
export const jwtIdentity = <Identity extends GatewayIdentity>(
  options: JwtOptions<Identity>,
): ((request: Request) => Promise<Identity | null>) => {
  checkAlgorithms(options)
  const getKey = keyOf(options)
  const tokenOf = options.token ?? bearer
  const verifyOptions: JWTVerifyOptions = {
    algorithms: [...options.algorithms],
    clockTolerance: options.clockToleranceSeconds ?? 5,
    requiredClaims: ["exp"],
    ...(options.issuer === undefined ? {} : { issuer: options.issuer }),
    ...(options.audience === undefined ? {} : { audience: options.audience }),
  }
  return async (request) => {
    const token = tokenOf(request)
    if (token === null || token.length > maxTokenLength) return null
    try {
      const { payload } = await jwtVerify(token, getKey, verifyOptions)
      const identity = options.identity(payload)
      return identity === null || payload.exp === undefined
        ? null
        : { ...identity, expiresAt: identity.expiresAt ?? payload.exp * 1000 }
    } catch (cause) {
      if (isServerFault(cause)) throw cause
      return null
    }
  }
}

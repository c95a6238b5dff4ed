/**
 * Finds the secret that signs sessions: from the environment, else one made at the first start and kept in the data
 * directory, so that a restart signs nobody out. Called once, when the server starts.
 */
import { randomBytes } from "node:crypto"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const isMissing = (cause: unknown): boolean =>
  cause instanceof Error && "code" in cause && cause.code === "ENOENT"

/** Written with `wx`, so that of two servers starting at once one writes and the other reads. */
const createSecret = (dataDir: string, file: string): string => {
  mkdirSync(dataDir, { recursive: true })
  const secret = randomBytes(32).toString("base64url")
  try {
    writeFileSync(file, `${secret}\n`, { mode: 0o600, flag: "wx" })
    return secret
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "EEXIST")
      return readFileSync(file, "utf8").trim()
    throw cause
  }
}

/**
 * The session secret.
 *
 * @throws Error when `SESSION_SECRET` is shorter than 16 characters, or the kept one cannot be read or written.
 */
export const sessionSecret = (fromEnvironment: string | undefined, dataDir: string): string => {
  if (fromEnvironment !== undefined && fromEnvironment !== "") {
    if (fromEnvironment.length < 16) throw new Error("SESSION_SECRET must have at least 16 characters.")
    return fromEnvironment
  }
  const file = join(dataDir, "session-secret")
  try {
    const kept = readFileSync(file, "utf8").trim()
    if (kept.length < 16)
      throw new Error(`${file} is damaged. Delete it to sign everybody out and make a new one.`)
    return kept
  } catch (cause) {
    if (isMissing(cause)) return createSecret(dataDir, file)
    throw cause
  }
}

/** Canonical JSON and its hash: the identity of definitions and local tables. Pure and synchronous in every runtime. */
import { sha256 } from "@noble/hashes/sha2.js"
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js"

/** Plain data that has one canonical JSON text. */
export type Json =
  | string
  | number
  | boolean
  | null
  | ReadonlyArray<Json>
  | { readonly [key: string]: Json | undefined }

/** JSON with object keys in code-unit order and without absent properties. */
export const canonicalJson = (value: Json): string => {
  if (value === null || typeof value !== "object") return JSON.stringify(value)
  if (isList(value)) return `[${value.map(canonicalJson).join(",")}]`
  const entries = Object.entries(value)
    .filter((entry): entry is [string, Json] => entry[1] !== undefined)
    .sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0))
  return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${canonicalJson(inner)}`).join(",")}}`
}

const isList = (value: object): value is ReadonlyArray<Json> => Array.isArray(value)

/** The first 32 hex digits of the SHA-256 of a value's canonical JSON. */
export const hashOf = (value: Json): string =>
  bytesToHex(sha256(utf8ToBytes(canonicalJson(value)))).slice(0, 32)

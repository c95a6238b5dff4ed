/**
 * Reads a response body into one array, up to a bound. Exists apart from the request so that what is waited for and what is copied are
 * read apart. Called by `request.ts` only.
 */

/** A longer body is refused: a server's chunk has ten megabytes and one row (protocol reference §3.5). */
export const maxBodyBytes = 256 * 1024 * 1024

export class TooLong extends Error {}

/** The body in one array, grown as it comes; the length a server announces may be that of a compressed one. */
export const readBytes = async (response: Response, onPart: () => void): Promise<Uint8Array> => {
  const reader = response.body?.getReader()
  if (reader === undefined) return new Uint8Array(0)
  const announced = Number(response.headers.get("content-length") ?? 0)
  let bytes = new Uint8Array(Math.min(announced > 0 ? announced : firstBytes, maxBodyBytes))
  let length = 0
  for (;;) {
    const part = await reader.read()
    if (part.done) return bytes.subarray(0, length)
    onPart()
    const needed = length + part.value.byteLength
    if (needed > maxBodyBytes) throw new TooLong(`the body has more than ${maxBodyBytes} bytes`)
    if (needed > bytes.length) {
      const larger = new Uint8Array(Math.max(needed, bytes.length * 2))
      larger.set(bytes.subarray(0, length))
      bytes = larger
    }
    bytes.set(part.value, length)
    length = needed
  }
}

/** Most answers are small. */
const firstBytes = 16 * 1024

/** Measures files as a browser would receive them. Build-time only. */
import { readFile } from "node:fs/promises"
import { basename } from "node:path"
import { promisify } from "node:util"
import { brotliCompress, constants, gzip } from "node:zlib"

/** Bytes of one file: as it is, and compressed as a server would send it. */
export interface FileSize {
  readonly file: string
  readonly raw: number
  readonly gzip: number
  readonly brotli: number
}

const gzipAsync = promisify(gzip)
const brotliAsync = promisify(brotliCompress)

/**
 * Above this, compression runs at a server's usual level instead of the highest: it would take half a minute
 * for PGlite's assets.
 */
const smallFileBytes = 2_000_000

export const measureBytes = async (file: string, bytes: Uint8Array): Promise<FileSize> => {
  const small = bytes.byteLength <= smallFileBytes
  const [zipped, brotli] = await Promise.all([
    gzipAsync(bytes, { level: small ? 9 : 6 }),
    brotliAsync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: small ? 11 : 5 } }),
  ])
  return { file, raw: bytes.byteLength, gzip: zipped.byteLength, brotli: brotli.byteLength }
}

export const measureFile = async (path: string): Promise<FileSize> =>
  measureBytes(basename(path), await readFile(path))

const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(1)} KB`

/** A table for people, one line per file. */
export const formatSizes = (sizes: ReadonlyArray<FileSize>): string => {
  const width = Math.max(...sizes.map((size) => size.file.length))
  return sizes
    .map(
      (size) =>
        `  ${size.file.padEnd(width)}  ${kilobytes(size.raw).padStart(11)}  gzip ${kilobytes(size.gzip).padStart(10)}  brotli ${kilobytes(size.brotli).padStart(10)}`,
    )
    .join("\n")
}

/**
 * Makes the prepared data directory: an empty database as initdb leaves it, dumped and compressed. A browser that loads
 * it starts for the first time without running initdb, which is most of that start's time (PGlite reference §5). Made by
 * PGlite in Node once per PGlite version, kept in `dist`, and copied beside every bundle.
 */
import { createHash } from "node:crypto"
import { copyFile, mkdir, readFile, rename, stat, writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { PGlite } from "@electric-sql/pglite"
import { databaseSettings } from "@espalier/engine/pglite"

/** Beside the bundle; `host/preparedDirectory.ts` asks for it by this name. */
export const preparedFile = "pglite.prepared.tar.gz"

const distFolder = resolve(dirname(fileURLToPath(import.meta.url)), "../dist")

const pgliteVersion = async (): Promise<string> => {
  const folder = dirname(createRequire(import.meta.url).resolve("@electric-sql/pglite"))
  const manifest: { readonly version: string } = JSON.parse(
    await readFile(join(folder, "../package.json"), "utf8"),
  )
  return manifest.version
}

const settings = databaseSettings(PGlite.defaultStartParams)

/** Written under another name first, so that a half-written file is never taken for a whole one. */
const dumpEmpty = async (file: string): Promise<void> => {
  const pglite = await PGlite.create(settings)
  try {
    const dump = await pglite.dumpDataDir("gzip")
    const part = `${file}.${process.pid}.part`
    await writeFile(part, new Uint8Array(await dump.arrayBuffer()))
    await rename(part, file)
  } finally {
    await pglite.close()
  }
}

/** Lays the prepared data directory beside a bundle. */
export const writePrepared = async (outdir: string): Promise<void> => {
  // What initdb was told is part of what it made.
  const told = createHash("sha256").update(settings.initDbStartParams.join(" ")).digest("hex").slice(0, 8)
  const kept = join(distFolder, `prepared-${await pgliteVersion()}-${told}.tar.gz`)
  await mkdir(distFolder, { recursive: true })
  if ((await stat(kept).catch(() => null)) === null) await dumpEmpty(kept)
  await copyFile(kept, join(outdir, preparedFile))
}

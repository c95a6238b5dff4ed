/**
 * Finds out whether the browser lets this origin use a storage: private windows, policies and settings block it in many ways, and
 * some browsers offer the names and refuse the work. Each probe really writes, and has a bound, because a blocked storage may
 * also never answer. Used by the browser's `HostEnvironment`.
 */
import type { LastingBackend, Probe } from "./backend.ts"

/** A storage that has not answered for so long is not used. */
const probeBoundMillis = 5_000

const probeName = "espalier-probe"

const textOf = (error: unknown): string =>
  error instanceof Error && error.message !== "" ? `${error.name}: ${error.message}` : String(error)

/** Settles with a request of IndexedDB. */
const done = (request: IDBRequest): Promise<void> =>
  new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve())
    request.addEventListener("error", (event) => {
      event.preventDefault()
      reject(request.error ?? new Error("the request failed"))
    })
  })

const probeIndexedDb = async (): Promise<void> => {
  if (typeof indexedDB === "undefined") throw new Error("the browser does not offer it here")
  const opening = indexedDB.open(probeName)
  opening.addEventListener("upgradeneeded", () => opening.result.createObjectStore("probe"))
  await done(opening)
  const database = opening.result
  try {
    await done(database.transaction("probe", "readwrite").objectStore("probe").put(1, "probe"))
  } finally {
    database.close()
  }
  // Nobody waits for this one: another tab may be probing.
  indexedDB.deleteDatabase(probeName)
}

/** PGlite's pool of access handles needs synchronous ones, which some browsers lack. */
const probeFileSystem = async (): Promise<void> => {
  if (typeof navigator.storage?.getDirectory !== "function") {
    throw new Error("the browser does not offer it here")
  }
  const root = await navigator.storage.getDirectory()
  // A name of its own for each probe: a synchronous handle locks its file.
  const name = `${probeName}-${crypto.randomUUID()}`
  const file = await root.getFileHandle(name, { create: true })
  try {
    if (!("createSyncAccessHandle" in file)) throw new Error("it has no synchronous access handles")
    const handle = await (file as SyncFile).createSyncAccessHandle()
    handle.close()
  } finally {
    await root.removeEntry(name).catch(() => undefined)
  }
}

/** Part of the worker's file system API; this package is compiled with the page's types. */
interface SyncFile {
  readonly createSyncAccessHandle: () => Promise<{ readonly close: () => void }>
}

const probes: Readonly<Record<LastingBackend, () => Promise<void>>> = {
  idb: probeIndexedDb,
  opfs: probeFileSystem,
}

/** {@link Probe} of the browser this runs in. */
export const probeStorage: Probe = async (backend) => {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`it did not answer within ${probeBoundMillis} ms`), probeBoundMillis)
  })
  const outcome = probes[backend]().then(
    () => null,
    (error: unknown) => textOf(error),
  )
  return Promise.race([outcome, late]).finally(() => clearTimeout(timer))
}

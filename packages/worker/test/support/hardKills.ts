/**
 * Kills the whole browser while it syncs, and opens what is left: first with the server away, so that only what was stored is judged,
 * then until it equals the server. Used by `pnpm torture host` and, for a few kills, by the tests.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { amara, company, tables } from "../../../../test/support/world.ts"
import { seeded, type Seeded } from "@espalier/engine/testing"
import { startChromium } from "./chromiumProcess.ts"
import { type HostRig, openHostRig, openTab, rowsOf, untilEqual, untilLive, untilReady } from "./hostRig.ts"
import type { ShapeRequest } from "./siteServer.ts"

export interface HardKillOptions {
  readonly kills: number
  readonly seed: number
  readonly log?: (line: string) => void
}

export interface HardKillReport {
  readonly kills: number
  /** Kills of a browser whose profile was new. */
  readonly fromEmpty: number
  /** Kills that left no database, or one without rows. */
  readonly leftNothing: number
  /** Kills after which the database showed rows before any network. */
  readonly leftRows: number
  /** Transactions of the server while browsers ran. */
  readonly writes: number
  readonly chunkBytes: number
  /** Bytes of answers that had arrived whole before the kill and were asked for again, of one shape. */
  readonly redownloadedPerShapeMax: number
  /** The same of all shapes together, mean over the kills. */
  readonly redownloadedMean: number
}

const bounds = { start: 90_000, sync: 90_000 } as const
const chunkBytes = 100_000
const foldersPerCompany = 2_000
/** Longest life of a browser after its page was opened or its database was ready. */
const longestLifeMillis = 4_000

const write = async ({ db }: HostRig, random: Seeded): Promise<void> => {
  const a = company(1 + random.below(2))
  const own = "select id from workspaces where company_id = $1 order by id limit 1"
  const [sql, ...params] = random.pick([
    [`update companies set name = name || '.' where id = $1`, a],
    [`update folders set name = name || '!' where position % 50 = 3 and workspace_id in (${own})`, a],
    [`delete from folders where id in (select id from folders where workspace_id in (${own}) limit 3)`, a],
    [`insert into folders (workspace_id, name, position) select id, 'new', 3 from (${own}) w`, a],
    [
      `insert into company_members (company_id, user_id) values ($1, $2) on conflict do nothing`,
      company(3),
      amara,
    ],
    [`delete from company_members where company_id = $1 and user_id = $2`, company(3), amara],
  ] as const)
  await db.query(sql, [...params])
}

/** Writes until stopped; remembers every row that was ever the user's. */
const keepWriting = (rig: HostRig, random: Seeded, ever: Map<string, Set<string>>) => {
  let running = true
  let writes = 0
  const done = (async () => {
    while (running) {
      await write(rig, random)
      writes += 1
      const rows = await rig.expected()
      for (const table of tables) for (const line of rows[table] ?? []) ever.get(table)?.add(line)
      await new Promise((resolve) => setTimeout(resolve, 60))
    }
  })()
  return async (): Promise<number> => {
    running = false
    await done
    return writes
  }
}

/** Bytes of answers that arrived whole twice, by shape. */
const redownloaded = (before: ReadonlyArray<ShapeRequest>, after: ReadonlyArray<ShapeRequest>) => {
  const place = ({ handle, offset, shape }: ShapeRequest): string => `${shape} ${handle} ${offset}`
  const had = new Set(before.filter(({ whole }) => whole).map(place))
  const bytes = new Map<string, number>()
  for (const request of after)
    if (request.whole && had.has(place(request)))
      bytes.set(request.shape, (bytes.get(request.shape) ?? 0) + request.bytes)
  return [...bytes.values()]
}

/** One browser on the profile, killed at a random moment while the server's rows change. Returns the number of writes. */
const killOne = async (
  rig: HostRig,
  profile: string,
  random: Seeded,
  ever: Map<string, Set<string>>,
  id: string,
): Promise<number> => {
  const browser = await startChromium(profile)
  try {
    const stop = keepWriting(rig, random, ever)
    // Both durabilities must leave a whole image; the relaxed one an older.
    const durability = random.pick(["strict", "relaxed"] as const)
    const page = await openTab(rig, browser.context, id, { durability })
    const life = random.below(longestLifeMillis)
    // A fifth dies while it starts, the others while they sync.
    if (!random.chance(0.2)) await untilReady(page, bounds.start)
    await new Promise((resolve) => setTimeout(resolve, life))
    // It must be alive up to here.
    await page.evaluate(() => 1)
    await browser.kill()
    return await stop()
  } finally {
    await browser.kill()
  }
}

/** Opens what a kill left. Returns how many rows it showed before any network. */
const reopen = async (
  rig: HostRig,
  profile: string,
  ever: ReadonlyMap<string, ReadonlySet<string>>,
  id: string,
): Promise<number> => {
  const browser = await startChromium(profile)
  try {
    rig.site.setShapesUp(false)
    const page = await openTab(rig, browser.context, id)
    await untilReady(page, bounds.start)
    const left = await rowsOf(page)
    for (const table of tables) {
      const strange = (left[table] ?? []).filter((line) => ever.get(table)?.has(line) !== true)
      if (strange.length > 0) throw new Error(`${table} shows what never was: ${strange[0]}`)
      if (new Set(left[table]).size !== left[table]?.length) throw new Error(`${table} shows a row twice`)
    }
    rig.site.setShapesUp(true)
    await untilLive(page, bounds.sync)
    await untilEqual(rig, page, bounds.sync)
    return Object.values(left).reduce((sum, lines) => sum + lines.length, 0)
  } finally {
    rig.site.setShapesUp(true)
    await browser.kill()
  }
}

/** Kills so many browsers. Rejects with the first difference, which names the kill. */
export const hardKills = async (options: HardKillOptions): Promise<HardKillReport> => {
  const rig = await openHostRig({ folders: foldersPerCompany, chunkBytes })
  const folder = mkdtempSync(join(tmpdir(), "espalier-hard-"))
  const profile = join(folder, "profile")
  const random = seeded(options.seed)
  const ever = new Map(tables.map((table) => [table, new Set<string>()]))
  let [fromEmpty, leftNothing, leftRows, writes, perShapeMax, total] = [0, 0, 0, 0, 0, 0]
  try {
    const first = await rig.expected()
    for (const table of tables) for (const line of first[table] ?? []) ever.get(table)?.add(line)
    for (let kill = 0; kill < options.kills; kill++) {
      if (kill === 0 || random.chance(0.6)) {
        rmSync(profile, { recursive: true, force: true })
        fromEmpty += 1
      }
      try {
        rig.site.forgetRequests()
        writes += await killOne(rig, profile, random, ever, `victim-${kill}`)
        const before = [...rig.site.log]
        rig.site.forgetRequests()
        const rows = await reopen(rig, profile, ever, `heir-${kill}`)
        if (rows === 0) leftNothing += 1
        else leftRows += 1
        const bytes = redownloaded(before, rig.site.log)
        perShapeMax = Math.max(perShapeMax, ...bytes)
        total += bytes.reduce((sum, value) => sum + value, 0)
        options.log?.(
          `kill ${kill}: ${rows} rows left, ${bytes.length} shapes asked again (${bytes.join(", ")} bytes)`,
        )
      } catch (cause) {
        throw new Error(`seed ${options.seed}, kill ${kill}: ${String(cause)}`, { cause })
      }
    }
  } finally {
    await rig.close()
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
  const redownloadedMean = Math.round(total / options.kills)
  return {
    kills: options.kills,
    fromEmpty,
    leftNothing,
    leftRows,
    writes,
    chunkBytes,
    redownloadedPerShapeMax: perShapeMax,
    redownloadedMean,
  }
}

/**
 * Rows from a local server into an empty table, over HTTP: one shape of many rows, and many shapes of few. Ours goes through the
 * Electric adapter and the store, with provenance and a checkpoint per answer; the peer is the real one.
 */
import { type Instance, withContent } from "@espalier/engine/protocol"
import { EngineConfig, defaultEngineConfig, ShapeSource } from "@espalier/engine"
import { ElectricShapeSource } from "@espalier/engine/electric"
import { Effect, Stream } from "effect"
import { type Lookalike, startLookalike } from "../../lib/lookalike.ts"
import {
  atLeast,
  inRounds,
  type Measure,
  measureOf,
  ratios,
  type SuiteOptions,
  timed,
} from "../../lib/measure.ts"
import { coalesced, emptyDatabase, type Ours, openOurs, wideInstance } from "../../lib/ours.ts"
import { companyOf, wideTable } from "../../lib/wideRows.ts"
import { readShape } from "../../peers/officialClient.ts"
import { type InsertMethod, openPgliteSync, syncAll } from "../../peers/pgliteSync.ts"

/** Reads one shape to its up-to-date, committing every answer as it comes. */
const syncOne = (commit: ReturnType<typeof coalesced>, instance: Instance) =>
  Effect.gen(function* () {
    const source = yield* ShapeSource
    yield* source.changes(instance, null).pipe(
      Stream.runForEachWhile((event) =>
        Effect.promise(async () => {
          if (event._tag !== "Batch") return true
          const { checkpoint, upToDate } = event
          const share = withContent({ instance, mode: "append", checkpoint, upToDate } as const, event)
          await commit(share)
          return !event.upToDate
        }),
      ),
    )
  })

/** Our side: all shapes, with as many connections as the peer opens. */
export const syncOurs = async (ours: Ours, url: string, shapes: number): Promise<void> => {
  const instances = Array.from({ length: shapes }, (_, shape) =>
    wideInstance(`shape-${shape}`, companyOf(shape)),
  )
  const commit = coalesced(ours.commit)
  const program = Effect.forEach(instances, (instance) => syncOne(commit, instance), {
    concurrency: "unbounded",
    discard: true,
  }).pipe(
    Effect.provide(ElectricShapeSource.layer({ url, kind: "electric" })),
    Effect.provideService(EngineConfig, { ...defaultEngineConfig, maxConnections: Math.max(shapes, 4) }),
  )
  await Effect.runPromise(program)
}

const rowCount = `select count(*)::int4 as count from ${wideTable}`

const expectRows = (
  result: { readonly rows: ReadonlyArray<{ readonly count: number }> },
  rows: number,
): void => {
  const found = result.rows[0]?.count
  if (found !== rows) throw new Error(`${found} rows arrived, ${rows} were sent`)
}

const contest = async (
  options: SuiteOptions,
  server: Lookalike,
  shapes: number,
  rows: number,
  methods: ReadonlyArray<InsertMethod>,
) => {
  const scratch = await emptyDatabase()
  const template = await scratch.dumpDataDir("none")
  await scratch.close()
  const ours = async (): Promise<number> => {
    const opened = await openOurs()
    const millis = await timed(() => syncOurs(opened, server.url, shapes))
    expectRows(await opened.pglite.query<{ readonly count: number }>(rowCount), rows)
    await opened.close()
    return millis
  }
  const peer = (method: InsertMethod) => async (): Promise<number> => {
    const opened = await openPgliteSync(template)
    let stop = (): void => undefined
    const millis = await timed(async () => {
      stop = await syncAll(opened, server.url, shapes, method)
    })
    stop()
    expectRows(await opened.query<{ readonly count: number }>(rowCount), rows)
    await opened.close()
    return millis
  }
  const client = (): Promise<number> =>
    timed(() => Promise.all(Array.from({ length: shapes }, (_, shape) => readShape(server.url, shape))))
  const variants: Record<string, () => Promise<number>> = { ours, client }
  for (const method of methods) variants[method] = peer(method)
  return inRounds(options, variants)
}

/** `e2e.*`: the peer's time by ours for one large shape. */
export const measureEndToEnd = async (options: SuiteOptions): Promise<ReadonlyArray<Measure>> => {
  const targets = { insert: 3.5, json: 2.5, csv: 2.3 } as const
  const methods = (["insert", "json", "csv"] as const).filter((method) =>
    options.wants(`e2e.vs-pglite-sync-${method}`),
  )
  if (methods.length === 0) return []
  const server = await startLookalike({ shapes: 1, rowsPerShape: options.rows, rowsPerChunk: 5_000 })
  try {
    const times = await contest(options, server, 1, options.rows, methods)
    return methods.map((method) =>
      measureOf(
        `e2e.vs-pglite-sync-${method}`,
        ratios(times[method] ?? [], times["ours"] ?? []),
        "x faster",
        atLeast(targets[method]),
      ),
    )
  } finally {
    await server.stop()
  }
}

/** `fanin.*`: the same for many small shapes into one table, as many connections on both sides. */
export const measureFanIn = async (options: SuiteOptions): Promise<ReadonlyArray<Measure>> => {
  const targets = { insert: 2.6, csv: 1.9 } as const
  const methods = (["insert", "csv"] as const).filter((method) =>
    options.wants(`fanin.vs-pglite-sync-${method}`),
  )
  if (methods.length === 0) return []
  const rowsPerShape = 500
  const shapes = Math.max(2, Math.round(options.rows / rowsPerShape))
  const server = await startLookalike({ shapes, rowsPerShape, rowsPerChunk: rowsPerShape })
  try {
    const times = await contest(options, server, shapes, shapes * rowsPerShape, methods)
    return methods.map((method) =>
      measureOf(
        `fanin.vs-pglite-sync-${method}`,
        ratios(times[method] ?? [], times["ours"] ?? []),
        "x faster",
        atLeast(targets[method]),
      ),
    )
  } finally {
    await server.stop()
  }
}

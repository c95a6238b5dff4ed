/** What a change costs where most shapes do not hear of it, and a thousand changes a second with two thousand waiting. */
import { type RunningServer, startServer, take, type Taken } from "../../lib/devServer.ts"
import {
  atLeast,
  atMost,
  inRounds,
  type Measure,
  measureOf,
  ratios,
  type SuiteOptions,
} from "../../lib/measure.ts"

/** Shapes that hear of the measured changes. */
const heard = 10
const changesPerRound = 100
const manyShapes = 2_000

const queryOf = (shape: number): Record<string, string> => ({
  table: "facts",
  where: `field = 'value ${shape}'`,
})

/** A server with `count` shapes of one constant each, caught up. */
const withShapes = async (
  count: number,
): Promise<{ readonly running: RunningServer; readonly at: Array<Taken> }> => {
  const running = await startServer({ longPollTimeoutMillis: 60_000 })
  await running.db.exec(`
    create table facts (id int primary key, field text not null, n int not null);
    insert into facts select g, 'value ' || g, 0 from generate_series(0, ${count - 1}) g`)
  const at: Array<Taken> = []
  for (let shape = 0; shape < count; shape += 1) {
    const first = await take(running.server.url, { ...queryOf(shape), offset: "-1" })
    at.push(await take(running.server.url, { ...queryOf(shape), handle: first.handle, offset: first.offset }))
  }
  return { running, at }
}

const wait = ({ server }: RunningServer, shape: number, { handle, offset }: Taken): Promise<Taken> =>
  take(server.url, { ...queryOf(shape), handle, offset, live: "true" })

/** Changes one after the other, each waited for by the one shape it concerns. */
const oneByOne = async ({ at, running }: Awaited<ReturnType<typeof withShapes>>): Promise<number> => {
  const start = performance.now()
  for (let change = 0; change < changesPerRound; change += 1) {
    const shape = change % heard
    const waiting = wait(running, shape, at[shape] as Taken)
    await running.db.exec(`update facts set n = n + 1 where id = ${shape}`)
    at[shape] = await waiting
  }
  return performance.now() - start
}

/** `server.change-cost-2000-vs-10`: the same changes with 2,000 shapes in service, by those with 10. */
export const measureChangeCost = async (options: SuiteOptions): Promise<ReadonlyArray<Measure>> => {
  const id = "server.change-cost-2000-vs-10"
  if (!options.wants(id)) return []
  const [few, many] = [await withShapes(heard), await withShapes(manyShapes)]
  const times = await inRounds(options, { few: () => oneByOne(few), many: () => oneByOne(many) })
  await few.running.stop()
  await many.running.stop()
  return [measureOf(id, ratios(times.many, times.few), "x time", atMost(3))]
}

/**
 * `server.changes-per-second`: 2,000 waiting requests, a thousand changes in twenty transactions, each of one row some shape
 * waits for; until the last affected request is answered.
 */
export const measureChangeRate = async (options: SuiteOptions): Promise<ReadonlyArray<Measure>> => {
  const id = "server.changes-per-second"
  if (!options.wants(id)) return []
  const { at, running } = await withShapes(manyShapes)
  const rates: Array<number> = []
  for (let round = 0; round <= options.rounds; round += 1) {
    const waiting = at.map((taken, shape) => wait(running, shape, taken))
    while (running.server.counts().waiters < manyShapes)
      await new Promise((resolve) => setTimeout(resolve, 5))
    const first = (round % 2) * 1_000
    const start = performance.now()
    for (let change = 0; change < 1_000; change += 50) {
      await running.db.exec(
        `update facts set n = n + 1 where id between ${first + change} and ${first + change + 49}`,
      )
    }
    const answered = await Promise.all(waiting.slice(first, first + 1_000))
    const seconds = (performance.now() - start) / 1_000
    if (answered.some(({ status }) => status !== 200))
      throw new Error("a waiter was not answered with its change")
    if (running.server.counts().waiters !== manyShapes - 1_000)
      throw new Error("an unaffected waiter was answered")
    if (round > 0) rates.push(1_000 / seconds)
    options.log(`  ${round === 0 ? "warm-up" : `round ${round}`}  ${(1_000 / seconds).toFixed(0)} changes/s`)
    await running.db.exec("update facts set n = n + 1")
    for (const [shape, taken] of (await Promise.all(waiting)).entries()) {
      const { handle, offset } = taken
      at[shape] = await take(running.server.url, { ...queryOf(shape), handle, offset })
    }
  }
  await running.stop()
  return [measureOf(id, rates, "changes/s", atLeast(1_000))]
}

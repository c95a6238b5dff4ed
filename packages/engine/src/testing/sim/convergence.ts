/**
 * Whether an engine has converged: every instance the oracle demands is live, and the store holds exactly its rows with the values
 * they have on the server. Says the first thing that is missing, in a sentence. Reads only.
 */
import * as Effect from "effect/Effect"
import { decodeKey, encodeKey } from "../../adapters/store/rowKey.ts"
import type { Expected } from "../model/Oracle.ts"
import { project } from "../model/selection.ts"
import type { Simulation } from "./Simulation.ts"

/** Whether something may be there that nobody asks for any more: a lease may have ended, or the parameters may have been others. */
const mayKeep = ({ leases, server }: Simulation): boolean =>
  leases.all.length > 0 || server.gateway.hadOtherParams

/**
 * The first difference between the world as it is and as it ought to be; null when there is none. `keeps`: what is merely kept is none.
 */
export const missing = Effect.fnUntraced(function* (simulation: Simulation, keeps = mayKeep(simulation)) {
  const { engine, server, stores } = simulation
  if (engine === null) return "no engine runs"
  const { database, oracle } = server
  const desired = oracle.demanded(database.read, simulation.leases.all)
  const status = yield* engine.status
  for (const [key, expected] of desired) {
    const state = status.instances[key]?.state ?? "unknown"
    if (state !== "Live") return `${key} is ${state} (${status.instances[key]?.error?.message ?? "no error"})`
    const problem = rowsProblem(simulation, key, expected)
    if (problem !== null) return problem
  }
  // What is merely kept may stay for a while, but not what no lease and no parameters could bring back.
  const reachable = keeps ? server.gateway.reachable() : new Set(desired.keys())
  for (const key of stores.known.keys())
    if (!reachable.has(key)) return `${key} is stored and nothing demands it`
  for (const key of simulation.engines.running)
    if (!desired.has(key)) return `${key} runs and nothing demands it`
  if (status.state !== (desired.size === 0 ? "idle" : "live")) return `the graph is ${status.state}`
  return null
})

const rowsProblem = (
  simulation: Simulation,
  key: string,
  { instance, rows, selection }: Expected,
): string | null => {
  const { server, stores } = simulation
  const known = stores.known.get(key)
  const { table } = selection
  const wanted = new Set(rows.map((row) => server.database.keyOf(table.from, row)))
  if (known === undefined) return `${key} is not stored`
  for (const row of wanted) if (!known.view.has(row)) return `${key} lacks row ${decodeKey(row).join("/")}`
  for (const row of known.view.keys())
    if (!wanted.has(row)) return `${key} has row ${decodeKey(row).join("/")} too many`
  const shown = new Map(
    stores
      .rows(instance.table)
      .map((row) => [encodeKey(table.primaryKey.map((column) => row[column] ?? "")), row]),
  )
  for (const row of rows) {
    const name = server.database.keyOf(table.from, row)
    const local = shown.get(name)
    const expected = JSON.stringify(project(table, row))
    if (local === undefined || JSON.stringify(project(table, local)) !== expected)
      return `${key}: row ${decodeKey(name).join("/")} is ${JSON.stringify(local ?? null)}, not ${expected}`
  }
  return null
}

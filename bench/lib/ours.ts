/**
 * Our side of a comparison: the PGlite store over an open database, and shares for it. Called by the suites.
 */
import { PGlite } from "@electric-sql/pglite"
import { Graph } from "@espalier/engine/graph"
import type { Instance, Message } from "@espalier/engine/protocol"
import { databaseSettings, PgliteLocalStore } from "@espalier/engine/pglite"
import { type InstanceCommit, LocalStore } from "@espalier/engine"
import { Effect, ManagedRuntime } from "effect"
import { wideColumns, wideTable } from "./wideRows.ts"

export const wideGraph = Graph.make({
  name: "bench",
  tables: { [wideTable]: { columns: wideColumns, primaryKey: ["id"], indexes: [] } },
  nodes: { members: { table: wideTable, key: "members" } },
})

/** An instance of the wide table: the rows of one company, or (null) all of them, so that it overlaps every other. */
export const wideInstance = (key: string, company: string | null): Instance => ({
  key,
  node: "members",
  table: wideTable,
  bindings: company === null ? {} : { company_id: company },
  clientParams: {},
  definition: {
    table: wideTable,
    ...(company === null ? {} : { where: "company_id = $1" }),
    params: company === null ? {} : { "1": company },
    columns: Object.keys(wideColumns),
    replica: "default",
    log: "full",
  },
  hash: `hash-${key}`,
  tagged: false,
  priority: 0,
})

export interface Ours {
  readonly pglite: PGlite
  readonly store: LocalStore["Service"]
  /** Commits and insists that every share went through. */
  readonly commit: (...shares: ReadonlyArray<InstanceCommit>) => Promise<void>
  readonly close: () => Promise<void>
}

/** A store on a database in memory; `pglite` may be one that is open already and empty. */
export const openOurs = async (pglite?: PGlite): Promise<Ours> => {
  const database = pglite ?? (await emptyDatabase())
  const runtime = ManagedRuntime.make(PgliteLocalStore.layer({ pglite: database, graph: wideGraph }))
  const store = await runtime.runPromise(LocalStore)
  return {
    pglite: database,
    store,
    commit: async (...shares) => {
      const { outcomes } = await Effect.runPromise(store.commit(shares))
      for (const outcome of outcomes) if (outcome._tag === "Rejected") throw new Error(outcome.message)
    },
    close: async () => {
      await runtime.dispose()
      await database.close()
    },
  }
}

/** The same for every side of every comparison. */
export const settings = databaseSettings(PGlite.defaultStartParams)

let template: Promise<File | Blob> | undefined

/** An empty database in memory; made once by initdb, then copied, because initdb takes seconds. */
export const emptyDatabase = async (): Promise<PGlite> => {
  template ??= PGlite.create(settings).then(async (first) => {
    const dump = await first.dumpDataDir("none")
    await first.close()
    return dump
  })
  return PGlite.create({ ...settings, loadDataDir: await template })
}

/** A share of an instance: `append`, of handle `h`. */
export const shareOf = (
  instance: Instance,
  messages: ReadonlyArray<Message>,
  offset: string,
  upToDate: boolean,
  mode: InstanceCommit["mode"] = "append",
  handle = "h",
): InstanceCommit => ({ instance, messages, mode, checkpoint: { handle, offset }, upToDate })

/** Commits what is ready together, as the engine does: shares that come while a commit runs go into the next one. */
export const coalesced = (commit: Ours["commit"]): ((share: InstanceCommit) => Promise<void>) => {
  let ready: Array<InstanceCommit> = []
  let next: Promise<void> | null = null
  let running: Promise<void> = Promise.resolve()
  return (share) => {
    ready.push(share)
    next ??= running.then(() => {
      const shares = ready
      ready = []
      next = null
      running = commit(...shares)
      return running
    })
    return next
  }
}

/**
 * Dev-servers over one real Postgres, one per profile of the recordings, and one of its own for every scenario that restarts
 * its server. Replays a scenario and answers where it differs from the recording.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type pg from "pg"
import { makePool } from "../../src/db/Postgres.ts"
import { DevServer, type ServerOptions } from "../../src/DevServer.ts"
import {
  loadComparison,
  readScenario,
  Replayer,
  type Scenario,
  type Target,
  withoutDeviations,
} from "./golden.ts"
import { PostgresSessions } from "./goldenTargets.ts"

/** The recordings hold live requests for 2 s; less is enough for a server beside its database. */
const longPollTimeoutMillis = 1_000

const profiles: Readonly<Record<string, Partial<ServerOptions>>> = {
  main: { allowDelete: true },
  chunk: { allowDelete: true, chunkBytes: 1_000 },
  secret: { secret: "golden-secret" },
  default: {},
}

/** Servers for recorded scenarios. */
export class GoldenServers {
  readonly #databaseUrl: string
  readonly #pool: pg.Pool
  readonly #scope = Scope.makeUnsafe()
  readonly #urls = new Map<string, string>()

  private constructor(databaseUrl: string) {
    this.#databaseUrl = databaseUrl
    this.#pool = makePool(databaseUrl, "espalier_golden", () => undefined)
  }

  static async start(databaseUrl: string): Promise<GoldenServers> {
    const servers = new GoldenServers(databaseUrl)
    for (const profile of Object.keys(profiles)) {
      servers.#urls.set(profile, await servers.#serve(profile, servers.#scope))
    }
    return servers
  }

  async #serve(profile: string, scope: Scope.Scope, more: Partial<ServerOptions> = {}): Promise<string> {
    const server = await Effect.runPromise(
      DevServer.make({
        databaseUrl: this.#databaseUrl,
        longPollTimeoutMillis,
        ...profiles[profile],
        ...more,
      }).pipe(Scope.provide(scope)),
    )
    return server.url
  }

  /** Replays a scenario; answers its differences from the recording, each beginning with the number of its step. */
  async compare(name: string): Promise<ReadonlyArray<string>> {
    const scenario = readScenario(name)
    const sessions = new PostgresSessions(this.#pool)
    const [target, close] = await this.#target(scenario, sessions)
    try {
      const ours = await new Replayer(target, longPollTimeoutMillis).run(scenario)
      const { normalise, differences } = await loadComparison()
      return differences(normalise(withoutDeviations(scenario)), normalise(withoutDeviations(ours)))
    } finally {
      sessions.close()
      await close()
    }
  }

  async #target(
    scenario: Scenario,
    sessions: PostgresSessions,
  ): Promise<readonly [Target, () => Promise<void>]> {
    const { profile, name, steps } = scenario
    if (!steps.some((step) => step.restart !== undefined)) {
      const url = this.#urls.get(profile) ?? ""
      const restart = () => Promise.reject(new Error("this server is shared"))
      return [{ url: () => url, sql: sessions.run, restart }, () => Promise.resolve()]
    }
    const captureSchema = name.replaceAll("-", "_")
    let scope = Scope.makeUnsafe()
    let url = await this.#serve(profile, scope, { captureSchema })
    const target: Target = {
      url: () => url,
      sql: sessions.run,
      restart: async (sqlWhileDown) => {
        await Effect.runPromise(Scope.close(scope, Exit.void))
        await sessions.run({ sql: sqlWhileDown })
        scope = Scope.makeUnsafe()
        url = await this.#serve(profile, scope, { captureSchema })
      },
    }
    return [target, () => Effect.runPromise(Scope.close(scope, Exit.void))]
  }

  async close(): Promise<void> {
    await Effect.runPromise(Scope.close(this.#scope, Exit.void))
    await this.#pool.end()
  }
}

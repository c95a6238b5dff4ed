/**
 * The local Postgres: `const { query } = usePGLite()`, then plain SQL. Reads wait until the database is open. For rows that
 * follow changes use the sync composables, or `useLiveQuery` of `@espalier/vue`.
 */
import { useEspalier, useSyncStatus } from "@espalier/vue"

export const usePGLite = () => {
  const espalier = useEspalier()
  const { phase, ready, isLeader } = useSyncStatus()
  const query = async <Row = Record<string, unknown>>(
    sql: string,
    params: ReadonlyArray<unknown> = [],
  ): Promise<ReadonlyArray<Row>> => {
    const client = espalier.client.value
    if (client === null) throw new Error("Nobody is signed in, so no local database is open.")
    return client.query<Row>(sql, params)
  }
  return {
    /** The engine's client; null while nobody is signed in. */
    client: espalier.client,
    query,
    /** What the host is doing while it starts; `failed` says what to do. */
    phase,
    /** True once the engine knows what it holds. */
    ready,
    /** True while this tab's worker runs the database for all tabs. */
    isLeader,
  }
}

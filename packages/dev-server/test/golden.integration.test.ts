/**
 * Replays recordings of the real server (1.7.12 on Postgres 15) on PGlite and compares under the recordings' own rules. The
 * list holds the scenarios in which the dev-server is equal there; on a real Postgres every recording is replayed and every
 * difference explained (`goldenPostgres.integration.test.ts`).
 * Without the recordings beside the repository there is nothing to compare with, and the file says so.
 */
import { PGlite } from "@electric-sql/pglite"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { afterAll, beforeAll } from "vitest"
import { DevServer } from "../src/index.ts"
import { sqlOnPGlite } from "./support/goldenTargets.ts"
import { hasGolden, loadComparison, readScenario, Replayer, withoutDeviations } from "./support/golden.ts"

const equal: ReadonlyArray<string> = [
  "basics-small-table-live-insert",
  "catchup-150-row-transaction",
  "catchup-large-transaction-with-filter",
  "catchup-several-transactions",
  "catchup-upsert",
  "changes-only-basics",
  "chunk-changes-only",
  "chunk-etag-and-cache",
  "chunk-fragmented-transaction",
  "chunk-log-many-small-transactions",
  "chunk-prefetch-two-at-once",
  "chunk-snapshot-many",
  "chunk-snapshot-repeat-and-probe",
  "columns-selection",
  "http-repeat-is-identical",
  "identity-handle-after-delete-is-new",
  "identity-same-and-different-handles",
  "live-batching-of-transactions",
  "live-filter-in-out-default",
  "live-from-snapshot-offset",
  "live-generated-changes-trigger-cascade",
  "live-insert-delete-same-transaction",
  "live-insert-update-delete-full",
  "live-insert-update-delete",
  "live-kanban-two-filters-default",
  "live-many-waiters",
  "live-multi-row-transaction",
  "live-nonmatching-does-not-wake",
  "live-noop-update-full",
  "live-pending-data-answers-at-once",
  "live-pk-change-default",
  "live-pk-change-filter-default",
  "live-refresh-in-caught-up-state",
  "live-toast-unchanged",
  "live-unselected-column-update",
  "offset-out-of-bounds-data-arrives",
  "offset-out-of-bounds",
  "rotation-add-column",
  "rotation-add-index-default-check",
  "rotation-client-sequence-after-409",
  "rotation-drop-column-used-in-where",
  "rotation-drop-column",
  "rotation-drop-not-null",
  "rotation-rename-table",
  "rotation-set-schema",
  "rotation-truncate-live",
  "rotation-truncate",
  "rotation-unknown-handle",
  "snapshot-500-rows",
  "snapshot-empty-table",
  "snapshot-no-matching-rows",
  "snapshot-then-log-before-first-read",
  "subset-errors",
  "subset-get",
  "subset-value-types",
  "subset-with-handle-and-offset",
  "chunk-subset-not-chunked",
  "subquery-and-plain-predicate",
  "subquery-inner-params",
  "subquery-membership-granted-revoked",
  "subquery-move-in-empty",
  "subquery-negated-not-parenthesised",
  "subquery-no-inner-where",
  "subquery-not-or-demorgan",
  "subquery-or-plain-predicate",
  "subquery-outer-truncate",
  "subquery-plain-full",
  "subquery-plain",
  "subquery-same-transaction",
  "subquery-self-table",
  "subquery-two-shapes-share-inner",
  "subquery-two-subqueries-and",
  "tables-other-schema",
  "tables-replica-identity",
  "tables-views-and-foreign",
  "validation-columns",
  "validation-cursor",
  "validation-handle",
  "validation-log",
  "validation-nothing-created-by-errors",
  "validation-offset-duplicate-param",
  "validation-offset-format",
  "validation-offset-missing",
  "validation-replica",
  "values-bool",
  "values-bytea",
  "values-floats",
  "values-integers",
  "values-key-bigint",
  "values-key-bytea",
  "values-key-char",
  "values-key-date",
  "values-key-enum",
  "values-key-float8",
  "values-key-int-array",
  "values-key-timestamptz",
  "values-key-uuid",
  "values-schema-header",
  "values-text",
  "values-uuid",
  "where-in-list-100",
]

/** The recordings hold live requests for 2 s; less is enough for a server without replication delay. */
const longPollTimeoutMillis = 600

const scope = Scope.makeUnsafe()
const urls = new Map<string, string>()
let db: PGlite

const serve = async (profile: string, options: Parameters<typeof DevServer.make>[0]): Promise<void> => {
  const server = await Effect.runPromise(
    DevServer.make({ longPollTimeoutMillis, allowDelete: true, ...options }).pipe(Scope.provide(scope)),
  )
  urls.set(profile, server.url)
}

// Skipped where the recordings are not beside the repository: there is nothing to compare with.
describe.skipIf(!hasGolden)("Compared with recordings of the real server", () => {
  beforeAll(async () => {
    db = await PGlite.create()
    await serve("main", { db })
    await serve("chunk", { db, chunkBytes: 1000 })
    await serve("secret", { db, secret: "golden-secret", allowDelete: false })
  })

  afterAll(async () => {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    await db.close()
  })

  it.each(equal)("%s is equal", async (name) => {
    const { normalise, differences } = await loadComparison()
    const scenario = readScenario(name)
    const url = urls.get(scenario.profile) ?? ""
    const restart = () => Promise.reject(new Error("these servers keep nothing"))
    const target = { url: () => url, sql: sqlOnPGlite(db), restart }
    const ours = await new Replayer(target, longPollTimeoutMillis).run(scenario)
    assert.deepStrictEqual(
      differences(normalise(withoutDeviations(scenario)), normalise(withoutDeviations(ours))),
      [],
    )
  })
})

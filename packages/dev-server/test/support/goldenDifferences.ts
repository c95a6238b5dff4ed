/**
 * Where the dev-server on a real Postgres answers differently from the recordings of Electric 1.7.12, each with its reason.
 * Data only. A difference at a step that is not listed fails the comparison, and so does a listed scenario that has become
 * equal, so that the list cannot rot. `steps: "timing"` is for scenarios in which the cut between answers is free.
 */

/** One explained scenario. `steps` counts from 0. */
export interface GoldenDifference {
  readonly scenario: string
  readonly steps: ReadonlyArray<number> | "timing"
  readonly reason: string
}

const cors = "errors carry CORS headers and name their content type (README)"
const body = "the body of a POST may add a subset and nothing else (README)"
const literals = "what Postgres accepts is accepted, and evaluated by Postgres (README)"
const spelling = "one spelling of values everywhere, the log's (README)"
const nulls = "NULLs move exactly the rows Postgres moves (README)"
const txids = "events of nested subqueries name the transaction that caused them (README)"
const ddl = "a change of definitions rotates when it commits, not with the next write (README)"
const partitions = "keys of a partitioned table name the root (README)"
const several = "several commits that arrive together may reach a subquery shape as one move (README)"
const stays = "an event stream stays open after what was pending (README)"

const difference = (
  scenario: string,
  steps: GoldenDifference["steps"],
  reason: string,
): GoldenDifference => ({ scenario, steps, reason })

const from = (first: number, last: number): ReadonlyArray<number> =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index)

/** Scenarios that are not replayed: each is a minute of waiting. */
export const slowScenarios: ReadonlySet<string> = new Set([
  "default-schema-reconciler-60s",
  "default-sse-idle-60s",
])

export const goldenDifferences: ReadonlyArray<GoldenDifference> = [
  difference(
    "catchup-fragments-filter",
    [4],
    "the last change of a transaction always says so (reference §12.3)",
  ),
  difference("default-delete-disabled", [3, 4, 5], "the refusal names our option"),
  difference("http-cors-headers", [11], cors),
  difference("http-options-preflight", from(2, 14), "preflights allow what browsers send (README)"),
  difference("http-path-spellings", from(8, 11), cors),
  difference("http-routes", from(6, 23), cors),
  difference("live-batching-of-transactions", "timing", "answers may be cut differently (comparison rule 8)"),
  difference(
    "live-writes-during-snapshot",
    "timing",
    "which rows are in the snapshot is free (recordings' README)",
  ),
  difference("post-body-overrides-url", [4, 5, 6], body),
  difference("post-plain", [8, 9], body),
  difference("restart-subquery-shape", [5, 6, 7], "subquery shapes survive a restart (README)"),
  difference("rotation-drop-table", [3, 5], ddl),
  difference("rotation-rename-column", [3], ddl),
  difference(
    "rotation-replica-identity-lowered",
    [3],
    "a lowered identity rotates when it commits, and only its table",
  ),
  difference("secret-missing-wrong-right", from(2, 5), cors),
  difference("secret-other-methods-and-routes", [2, 4, 5, 6, 9, 10, 12], cors),
  difference("secret-path-spellings", [2, 4, 6, 8], cors),
  difference("sse-errors", [5, 6], "an offset out of bounds is a 400 on streams, too (README)"),
  difference(
    "sse-offset-rounded-by-client",
    [5, 8],
    "the up-to-date of a stream has a number of its own (README)",
  ),
  difference("sse-pending-data", [4], stays),
  difference("subquery-inner-alter", [3, 5], ddl),
  difference("subquery-inner-null-plain", [5, 8, 11, 14, 15], nulls),
  difference("subquery-inner-truncate", [9, 10], "TRUNCATE of an inner table moves its values out (README)"),
  difference(
    "subquery-live-timeout-and-no-effect",
    [4],
    "an update that changes nothing is not sent (README)",
  ),
  difference("subquery-membership-granted-revoked", "timing", several),
  difference("subquery-negated", "timing", nulls),
  difference("subquery-negated-or-plain", [2, 27], nulls),
  difference("subquery-nested", [5, 11, 14, 17, 20, 23, 26, 29, 33], txids),
  difference("subquery-nested-negated-outer", [5, 11, 17, 20, 23, 26, 29], txids),
  difference("subquery-or-null-branch", [8], "a move-in sends rows whose other branch is NULL (README)"),
  difference("subquery-sse", "timing", several),
  difference("subquery-tuple", [17, 18], nulls),
  difference("subquery-two-moves-overlapping", "timing", several),
  difference(
    "subquery-types",
    [7, 8, 9, 17, 20, 22],
    "enums work as subquery columns; booleans and numerics have one hash",
  ),
  difference("subset-enum-runtime-error", [6], literals),
  difference("subset-or-precedence", [2, 3, 5, 6], "a subset is parenthesised on both sides (README)"),
  difference("subset-post", [21], body),
  difference(
    "tables-generated-columns",
    [5],
    "conditions on columns that changes do not hold are refused (README)",
  ),
  difference("tables-partition-added-and-truncated", [6, 7], partitions),
  difference("tables-partitioned", [6, 9, 12, 14], partitions),
  difference("tables-partitioned-update-without-full-identity", [5, 8, 9], partitions),
  difference("validation-params", [34, 35, 36], literals),
  difference("validation-where-syntax", [24, 32], literals),
  difference("validation-where-too-long", [2], body),
  difference("values-key-bool", [2], spelling),
  difference("values-key-inet", [2], spelling),
  difference("values-no-pk-default", [2, 6], spelling),
  difference("values-numeric", [2, 3, 5, 7, 8], "a negative scale is negative (README)"),
  difference("values-ranges-network-misc", [2, 3], spelling),
  difference("where-arithmetic", [58], literals),
  difference("where-arrays", [31, 32, 36], literals),
  difference("where-casts-functions", from(4, 8), literals),
  difference("where-comparison", [10, 11, 12], literals),
  difference("where-params-types", from(12, 17), literals),
  difference(
    "where-refused-subquery-forms",
    [18, 26, 30, 38, 41, 42, 55],
    "refused with other words, or instead of a 5xx",
  ),
  difference("where-timestamp-literals", [4, 5], literals),
]

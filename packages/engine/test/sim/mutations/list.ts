/**
 * Deliberate defects, as patches to a copy of the engine's source: each must be caught by the simulation. A simulation that catches
 * nothing proves nothing. `find` must occur exactly once in its file; a test holds the list to the source, so a change of
 * that line asks for a change here. Data only.
 */

export interface Mutation {
  readonly id: string
  /** What a careless author would have done. */
  readonly what: string
  /** Below `packages/engine/src`. */
  readonly file: string
  readonly find: string
  readonly replace: string
  /** The example graph it shows on. Default `workspaces`. */
  readonly graph?: "issues" | "buildings"
  /** The fault mix it shows under. Default: all in turn. */
  readonly profile?: string
}

const version = "adapters/store/version.ts"
const memoryShare = "adapters/memory/memoryShare.ts"
const memoryState = "adapters/memory/memoryState.ts"
const memoryStore = "adapters/memory/MemoryLocalStore.ts"
const steps = "reconciler/Steps.ts"
const commits = "reconciler/Commits.ts"

export const mutations: ReadonlyArray<Mutation> = [
  {
    id: "log-order",
    what: "the last log entry to arrive wins, whatever its LSN",
    file: version,
    find: `return compareLog(incoming, local) > 0 ? "write" : "keep"`,
    replace: `return "write"`,
    graph: "buildings",
    profile: "reorder",
  },
  {
    id: "snapshot-over-log",
    what: "a snapshot overwrites a row of a transaction that it did not see",
    file: version,
    find: `return local.txid === null || sees(incoming.visibility, local.txid) ? "write" : "keep"`,
    replace: `return "write"`,
  },
  {
    id: "snapshot-order",
    what: "of two snapshots the older one wins",
    file: version,
    find: `return compareSnapshots(incoming.visibility, local.visibility) > 0 ? "write" : "keep"`,
    replace: `return compareSnapshots(incoming.visibility, local.visibility) < 0 ? "write" : "keep"`,
  },
  {
    id: "running-transactions",
    what: "a snapshot is taken to have seen transactions that were still running",
    file: version,
    find: `return wide < BigInt(snapshot.xmin) || !snapshot.xip_list.some((running) => BigInt(running) === wide)`,
    replace: `return true`,
  },
  {
    id: "move-out-ignored",
    what: "a move-out removes nothing",
    file: "adapters/store/fold.ts",
    find: `const enters = !isMoveOut(message)`,
    replace: `const enters = true || !isMoveOut(message)`,
  },
  {
    id: "tags-kept-on-move",
    what: "a row that moves between groups keeps the tags it came with",
    file: "adapters/store/fold.ts",
    find: `const tags = sent ?? known?.tags ?? null`,
    replace: `const tags = known?.tags ?? null`,
  },
  {
    id: "tags-forgotten",
    what: "tags are forgotten on restart",
    file: memoryStore,
    find: `if (instance.staging) discardStage(state, instance.key)`,
    replace: `if (instance.staging) discardStage(state, instance.key)
    for (const key of instance.held.keys()) instance.held.set(key, null)`,
  },
  {
    id: "no-provenance",
    what: "a row goes with its first holder, not its last",
    file: memoryState,
    find: `if (rest.size > 0) {`,
    replace: `if (rest.size > 99) {`,
  },
  {
    id: "provenance-leak",
    what: "a row that nobody holds stays",
    file: memoryState,
    find: `remove(journal, table.rows, key)`,
    replace: `void table.rows`,
  },
  {
    id: "partial-row",
    what: "an update of some columns clears the others",
    file: memoryState,
    find: `{ values: changed ? { ...base, ...values } : base, version, writer }`,
    replace: `{ values: changed ? { ...Object.fromEntries(Object.keys(base).map((name) => [name, null])), ...values } : base, version, writer }`,
  },
  {
    id: "swap-keeps-old",
    what: "a refetch adds the new rows and keeps the old ones",
    file: memoryShare,
    find: `if (!instance.stage.has(key)) release(journal, table, instance, key)
  }
  for (const [key, row] of instance.stage) {`,
    replace: `void key
  }
  for (const [key, row] of instance.stage) {`,
  },
  {
    id: "refetch-deletes-table",
    what: "a refetch deletes the whole table, rows of other instances too",
    file: memoryShare,
    find: `for (const key of [...instance.held.keys()]) {
    if (!instance.stage.has(key)) release(journal, table, instance, key)`,
    replace: `for (const key of [...table.rows.keys()]) {
    if (!instance.stage.has(key)) remove(journal, table.rows, key)`,
  },
  {
    id: "blink",
    what: "a refetch drops the old rows when it begins",
    file: memoryShare,
    find: `  clear(journal, instance.stage)
  clear(journal, instance.waiting)
  if (instance.pending !== null)`,
    replace: `  for (const key of [...instance.held.keys()]) release(journal, table, instance, key)
  clear(journal, instance.stage)
  clear(journal, instance.waiting)
  if (instance.pending !== null)`,
  },
  {
    id: "checkpoint-before-rows",
    what: "the offset is stored and the rows are not, when a share only moves it on by a few messages",
    file: memoryShare,
    find: `  for (const [key, change] of folded.changes) {
    if (mode === "append") applyChange(applying, key, change)`,
    replace: `  for (const [key, change] of folded.changes) {
    if (mode === "append" && change._tag === "Drop" && folded.changes.size > 1) continue
    if (mode === "append") applyChange(applying, key, change)`,
  },
  {
    id: "apply-early",
    what: "log becomes readable before its up-to-date",
    file: "reconciler/Arrivals.ts",
    find: `record.held?.complete !== true && record.buffer.length === 0`,
    replace: `record.buffer.length === 0 || record.held?.complete !== true`,
  },
  {
    id: "buffer-lost",
    what: "of a log that came in parts only the last one is applied",
    file: "reconciler/Arrivals.ts",
    find: `record.buffer.length === 0 ? batch : { messages: [...record.buffer, ...batch.messages] }`,
    replace: `batch`,
  },
  {
    id: "buffer-survives-refetch",
    what: "log of a void handle is applied to the rows of the new one",
    file: "reconciler/Inputs.ts",
    find: `      record.buffer = []
      record.fresh = false`,
    replace: `      record.fresh = false`,
    profile: "rotation",
  },
  {
    id: "resume-from-the-start",
    what: "a resumed run asks from the beginning and appends to what is there",
    file: "machine/InstanceState.ts",
    find: `state._tag === "Syncing" || state._tag === "Live" ? state.checkpoint : null`,
    replace: `state._tag === "Live" ? state.checkpoint : null`,
  },
  {
    id: "pause-does-not-stop",
    what: "a pause stops nothing that runs",
    file: "machine/transition.ts",
    find: `return { state: { _tag: "Paused", attempt: state.attempt, previous: state }, commands: stop }`,
    replace: `return { state: { _tag: "Paused", attempt: state.attempt, previous: state }, commands: [] }`,
  },
  {
    id: "retry-after-ignored",
    what: "the server's Retry-After is not a floor",
    file: "protocol/backoff.ts",
    find: `return Math.max(retryAfterMillis, minBackoffMillis + Math.floor(random * ceiling))`,
    replace: `return minBackoffMillis + Math.floor(random * ceiling)`,
  },
  {
    id: "no-backoff-floor",
    what: "a retry may follow at once",
    file: "protocol/backoff.ts",
    find: `return Math.max(retryAfterMillis, minBackoffMillis + Math.floor(random * ceiling))`,
    replace: `return Math.max(retryAfterMillis, Math.floor(random * ceiling * 0.2))`,
  },
  {
    id: "denial-without-grace",
    what: "a denial by a gateway that has not seen the new row yet is final",
    file: "reconciler/retryPolicy.ts",
    find: `export const maxGraceDenials = 4`,
    replace: `export const maxGraceDenials = 0`,
  },
  {
    id: "leaked-slot",
    what: "a cut or interrupted request keeps its slot",
    file: "adapters/electric/ConnectionSlots.ts",
    find: `(ticket) => Effect.sync(() => table.leave(ticket.id)),`,
    replace: `() => Effect.void,`,
  },
  {
    id: "one-slot-too-many",
    what: "one request more than allowed is opened",
    file: "adapters/electric/slots.ts",
    find: `while (state.open.length < state.max && state.waiting.length > 0 && state.allowed > 0) {`,
    replace: `while (state.open.length <= state.max && state.waiting.length > 0 && state.allowed > 0) {`,
  },
  {
    id: "ancestors-ignored",
    what: "after a gap an instance counts as current by its old state",
    file: "reconciler/World.ts",
    find: `record.fresh && record.state?._tag === "Live"`,
    replace: `record.state?._tag === "Live" || record.state?._tag === "Syncing"`,
  },
  {
    id: "revoked-stays",
    what: "the rows of a revoked instance stay",
    file: steps,
    find: `if (record.held !== null || record.tried) world.collects.add(record.key)`,
    replace: `if (record.held === null && record.tried) world.collects.add(record.key)`,
  },
  {
    id: "revoked-alone",
    what: "a revoked instance goes without what its rows demanded",
    file: steps,
    find: `if (child !== undefined && !isDemanded(child)) forget(world, child, "its owner went", now)`,
    replace: `void child`,
  },
  {
    id: "kept-for-ever",
    what: "what nobody asks for is never collected",
    file: steps,
    find: `record.keepUntil = now + record.node.keepForMillis`,
    replace: `record.keepUntil = now + record.node.keepForMillis * 1_000`,
    graph: "issues",
    profile: "leases",
  },
  {
    id: "revoked-while-away",
    what: "what was revoked while the process was down is not noticed",
    file: "reconciler/Restore.ts",
    find: `record.revokeAt = now + world.config.revokeGraceMillis`,
    replace: `record.revokeAt = null`,
  },
  {
    id: "collected-one-by-one",
    what: "a revoked subtree is collected in several transactions",
    file: commits,
    find: `  const keys = [...world.collects]
  if (keys.length === 0) return []`,
    replace: `  const keys = [...world.collects].slice(0, 1)
  if (keys.length === 0) return []`,
  },
  {
    id: "failed-commit-taken-in",
    what: "a commit that failed counts as done",
    file: commits,
    find: `    yield* failAll(world, ready, result.failure, now)
    return []`,
    replace: `    for (const entry of ready) {
      accept(world, entry, 0, now)
      yield* Deferred.succeed(entry.arrived.ack, undefined)
    }
    return []`,
  },
  {
    id: "uncertain-commit-forgotten",
    what: "rows of a commit that failed after it was durable are never collected",
    file: commits,
    find: `for (const { record } of ready) record.tried = true`,
    replace: `void ready`,
    profile: "storage",
  },
  {
    id: "acknowledgement-lost",
    what: "a source is not told that its batch was committed",
    file: commits,
    find: `      if (entry.share.upToDate) entry.record.storedUpToDateAt = now
      entry.arrived.ack()`,
    replace: `      if (entry.share.upToDate) entry.record.storedUpToDateAt = now`,
  },
  {
    id: "snapshot-places-leak",
    what: "a snapshot that waits for its ancestors takes one of the few places",
    file: "reconciler/Agenda.ts",
    find: `member(agenda.snapshots, record, eligible && (`,
    replace: `member(agenda.snapshots, record, (`,
    profile: "network",
  },
  {
    id: "handle-cut-short",
    what: "the handle is stored in a column that is too short for it",
    file: memoryShare,
    find: `    ...readable,
    node: share.instance.node,`,
    replace: `    ...readable,
    handle: readable.handle?.slice(0, 6) ?? null,
    node: share.instance.node,`,
  },
  {
    id: "offset-reset-on-restart",
    what: "after a restart the stored offset is the end of the snapshot again",
    file: memoryStore,
    find: `if (instance.staging) discardStage(state, instance.key)`,
    replace: `if (instance.staging) discardStage(state, instance.key)
    else if (instance.complete) state.instances.set(instance.key, { ...instance, offset: "0_inf" })`,
  },
  {
    id: "mixed-row",
    what: "an update takes over every other column only",
    file: memoryState,
    find: `{ values: changed ? { ...base, ...values } : base, version, writer }`,
    replace: `{ values: Object.fromEntries(Object.keys(base).map((name, at) => [name, known !== undefined && at % 2 === 1 ? base[name] : (values[name] ?? base[name])])), version, writer }`,
  },
  {
    id: "unknown-delete-refused",
    what: "a delete of a row that is not held is refused",
    file: memoryShare,
    find: `    release(journal, table, instance, key)
    return
  }
  if (change._tag === "Patch"`,
    replace: `    if (!instance.held.has(key)) throw new ShareRejected("row", "there is no such row")
    release(journal, table, instance, key)
    return
  }
  if (change._tag === "Patch"`,
  },
  {
    id: "silent-collection",
    what: "a collection does not say which tables it changed",
    file: memoryStore,
    find: `    changes: changesOf(journal),`,
    replace: `    changes: {},`,
  },
  {
    id: "wipe-leaves-checkpoints",
    what: "a wipe removes the rows and leaves the checkpoints",
    file: memoryStore,
    find: `  state.instances.clear()
`,
    replace: ``,
  },
  {
    id: "waits-for-last",
    what: "log is held back until a message says that it is the last one of its transaction",
    file: "reconciler/Arrivals.ts",
    find: `  batch.upToDate || (record.held`,
    replace: `  (batch.upToDate && batch.messages.every((one) => !isLogEntry(one) || !isChange(one) || one.headers.last === true || one !== batch.messages.at(-1))) || (record.held`,
  },
  {
    id: "run-outlives-its-instance",
    what: "the run of an instance that is forgotten is not stopped",
    file: steps,
    find: `  noteStop(world, record)
  if (record.preferred) world.dropped.add(record)`,
    replace: `  if (record.preferred) world.dropped.add(record)`,
  },
  {
    id: "loop-outlives-its-scope",
    what: "the engine's loop goes on after the engine was closed",
    file: "reconciler/Reconciler.ts",
    find: `Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError("the reconciler stopped", cause),
    ),
    Effect.forkScoped,`,
    replace: `Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError("the reconciler stopped", cause),
    ),
    Effect.forkDetach,`,
  },
  {
    id: "late-input-of-a-forgotten-instance",
    what: "what a run says after its instance was forgotten is not ignored",
    file: "reconciler/Inputs.ts",
    find: `if (record === undefined || record.run !== input.run) return null`,
    replace: `if (record !== undefined && record.run !== input.run) return null`,
  },
  {
    id: "former-parameters-kept",
    what: "what only former parameters asked for is never given up",
    file: "reconciler/Params.ts",
    find: `of world.retiring.splice(0)) {`,
    replace: `of world.retiring.splice(0).slice(0, 0)) {`,
    graph: "issues",
    profile: "leases",
  },
  {
    id: "former-definition-kept",
    what: "an instance whose definition changed under its key goes on with the former one",
    file: steps,
    find: `  each(plan.restart, (record) => respecify(world, record, now))
`,
    replace: ``,
    graph: "buildings",
    profile: "leases",
  },
  {
    id: "below-forgotten-on-restart",
    what: "after a restart what is merely kept does not go with the owner above it",
    file: "reconciler/Reconciler.ts",
    find: `  yield* linkBelow(world, store)
`,
    replace: ``,
    graph: "buildings",
    profile: "crashes",
  },
  {
    id: "status-lies",
    what: "a resumed instance is shown as live before the server said anything",
    file: "reconciler/Status.ts",
    find: `state._tag === "Live" && !isFresh(record) ? "Syncing" : state._tag`,
    replace: `state._tag`,
  },
]

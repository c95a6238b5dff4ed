/**
 * A graph of many companies, a store that holds what the engine needs to know of it, and a source that answers every shape
 * once and is quiet from then on. Exists so that the reconciler alone is measured: no SQL, no sockets, no script to walk
 * through. Called by the suite `reconcile`.
 */
import { Effect } from "effect"
import { changesOf, LocalStore, ShapeSource } from "@espalier/engine"
import type {
  Batch,
  CommitResult,
  InstanceCommit,
  OwnerRow,
  SourceEvent,
  SourceListener,
  StoredInstance,
  Subscribe,
} from "@espalier/engine"
import { eq, Graph, identity, param } from "@espalier/engine/graph"
import { isChange, type Instance } from "@espalier/engine/protocol"

/** A company is six instances: itself and five of its tables. */
export const instancesPerCompany = 6

const ofCompany = { columns: { id: "uuid", company_id: "uuid", name: "text" }, primaryKey: ["id"] } as const
const byCompany = { parent: "companies", on: { company_id: "id" } } as const

export const companiesGraph = Graph.make({
  name: "companies",
  params: { userId: identity("uuid") },
  tables: {
    company_members: { columns: { id: "uuid", company_id: "uuid", user_id: "uuid" }, primaryKey: ["id"] },
    companies: { columns: { id: "uuid", name: "text" }, primaryKey: ["id"] },
    groups: ofCompany,
    workspaces: ofCompany,
    projects: ofCompany,
    labels: ofCompany,
  },
  nodes: {
    mine: { table: "company_members", where: eq("user_id", param("userId")), key: "user-{userId}" },
    companies: { table: "companies", parent: "mine", on: { id: "company_id" }, key: "company-{id}" },
    members: { table: "company_members", ...byCompany, key: "company-{id}-members" },
    groups: { table: "groups", ...byCompany, key: "company-{id}-groups" },
    workspaces: { table: "workspaces", ...byCompany, key: "company-{id}-workspaces" },
    projects: { table: "projects", ...byCompany, key: "company-{id}-projects" },
    labels: { table: "labels", ...byCompany, key: "company-{id}-labels" },
  },
})

/** The same without what is below a company: one root, and an instance per company. */
export const flatGraph = Graph.make({
  name: "flat",
  params: { userId: identity("uuid") },
  tables: {
    company_members: { columns: { id: "text", company_id: "uuid", user_id: "uuid" }, primaryKey: ["id"] },
    companies: { columns: { id: "uuid", name: "text" }, primaryKey: ["id"] },
  },
  nodes: {
    mine: { table: "company_members", where: eq("user_id", param("userId")), key: "user-{userId}" },
    companies: { table: "companies", parent: "mine", on: { id: "company_id" }, key: "company-{id}" },
  },
})

export const userId = "00000000-0000-4000-8000-000000000000"
export const mineKey = `user-${userId}`
export const companyId = (index: number): string =>
  `10000000-0000-4000-8000-${index.toString(16).padStart(12, "0")}`
const memberId = (index: number): string => `20000000-0000-4000-8000-${index.toString(16).padStart(12, "0")}`

type Row = Readonly<Record<string, string | null>>

const memberRow = (index: number): Row => ({
  id: memberId(index),
  company_id: companyId(index),
  user_id: userId,
})

/** Rows of a shape as the server has them: one membership per company, one row per company, nothing below. */
const serverRows = (instance: Instance, companies: number): ReadonlyArray<Row> => {
  if (instance.node === "mine") return Array.from({ length: companies }, (_, index) => memberRow(index))
  return instance.node === "companies" ? [{ id: instance.bindings["id"] ?? "", name: "company" }] : []
}

interface Held {
  readonly instance: Instance
  readonly rows: Map<string, Row>
  stored: StoredInstance
}

/** Keeps owners' rows and checkpoints in maps; one writer, no transactions to roll back. */
export const makeCompaniesStore = (onCommit: (share: InstanceCommit) => void = () => undefined) => {
  const held = new Map<string, Held>()
  const commit = (share: InstanceCommit) => {
    const { checkpoint, instance, messages, upToDate } = share
    const known = held.get(instance.key)
    const rows = known?.rows ?? new Map<string, Row>()
    for (const message of messages) {
      if (!isChange(message)) continue
      const id = message.value["id"] ?? ""
      if (message.headers.operation === "delete") rows.delete(id)
      else rows.set(id, message.value)
    }
    const stored: StoredInstance = {
      key: instance.key,
      node: instance.node,
      table: instance.table,
      bindings: instance.bindings,
      hash: instance.hash,
      checkpoint,
      complete: upToDate,
      lastUpToDateAt: 0,
      rows: rows.size,
    }
    held.set(instance.key, { instance, rows, stored })
    onCommit(share)
    return { _tag: "Committed", key: instance.key, rows: rows.size } as const
  }
  const result = (outcomes: CommitResult["outcomes"]): CommitResult => ({ outcomes, changes: {} })
  const valuesOf = (row: Row | undefined, columns: ReadonlyArray<string>): OwnerRow["values"] => {
    const values = columns.map((column) => row?.[column] ?? null).filter((value) => value !== null)
    return values.length === columns.length ? values : null
  }
  const store = LocalStore.of({
    instances: Effect.sync(() => [...held.values()].map(({ stored }) => stored)),
    commit: (shares) => Effect.sync(() => result(shares.map(commit))),
    discardStage: () => Effect.void,
    collect: (keys) =>
      Effect.sync(() => {
        for (const key of keys) held.delete(key)
        return result([])
      }),
    ownerRows: (owners, columns) =>
      Effect.sync(() =>
        owners.map((owner) => ({
          owner,
          rows: [...(held.get(owner)?.rows ?? [])].map(([id, row]) => ({
            key: [id],
            values: valuesOf(row, columns),
          })),
        })),
      ),
    ownerRowsAt: (owner, columns, keys) =>
      Effect.sync(() =>
        keys.map((key) => ({ key, values: valuesOf(held.get(owner)?.rows.get(key[0] ?? ""), columns) })),
      ),
    holders: () => Effect.succeed([]),
    heldKeys: (key) => Effect.sync(() => [...(held.get(key)?.rows.keys() ?? [])].map((id) => [id])),
    wipe: Effect.sync(() => held.clear()),
  })
  return { store, held: () => held.size, has: (key: string): boolean => held.has(key) }
}

const insertOf = (row: Row, lsn?: number) => ({
  key: String(row["id"]),
  value: row,
  headers: { operation: "insert", ...(lsn === undefined ? {} : { lsn: String(lsn), txids: [lsn] }) } as const,
})

export const batchOf = (key: string, offset: number, messages: Batch["messages"], bytes = 100): Batch => ({
  _tag: "Batch",
  checkpoint: { handle: `h-${key}`, offset: `${offset}_0` },
  messages,
  upToDate: true,
  lastSeenLsn: null,
  bytes,
})

/** Log that adds or removes the membership of one company. */
export const membership = (operation: "insert" | "delete", index: number, lsn: number) => ({
  ...insertOf(memberRow(index), lsn),
  headers: { operation, lsn: String(lsn), txids: [lsn] },
})

/** Answers each run once; later batches are handed in by `push`. Counts runs now open. */
export const makeQuietSource = (companies: number) => {
  const open = new Map<string, SourceListener>()
  let starts = 0
  const subscribe: Subscribe = (instance, resume, listener) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        starts += 1
        const rows = resume === null ? serverRows(instance, companies) : []
        const first = batchOf(
          instance.key,
          1,
          rows.map((row) => insertOf(row)),
        )
        listener.onEvent(first, () => open.set(instance.key, listener))
      }),
      () => Effect.sync(() => open.delete(instance.key)),
    )
  const source = ShapeSource.of({
    connections: () => ({ open: open.size, waiting: 0, max: Number.MAX_SAFE_INTEGER }),
    changes: changesOf(subscribe),
    subscribe,
  })
  return {
    source,
    open: (): number => open.size,
    isOpen: (key: string): boolean => open.has(key),
    /** Runs ever started. */
    starts: (): number => starts,
    push: (key: string, event: SourceEvent): void => {
      const listener = open.get(key)
      if (listener === undefined) throw new Error(`${key} has no run that waits`)
      open.delete(key)
      listener.onEvent(event, () => open.set(key, listener))
    },
  }
}

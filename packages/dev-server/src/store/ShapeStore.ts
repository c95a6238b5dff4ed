/**
 * What a shape leaves behind for the next start. Written in the transactions that take the changes, so a kill at any
 * moment leaves shapes, logs, inner values and untaken changes that fit together. The memory store keeps nothing.
 */
import type { Sql } from "../db/Database.ts"
import { quoteIdent } from "../db/identifier.ts"
import type { DefinitionRequest } from "../shapes/Definition.ts"
import type { ValueSets } from "../shapes/Shape.ts"
import type { Entry } from "../shapes/ShapeLog.ts"
import type { StoredSnapshot } from "../shapes/SnapshotChunks.ts"
import { ValueSet } from "../shapes/ValueSet.ts"
import type { TextRow } from "../db/Database.ts"

/** A shape as stored. */
export interface StoredShape {
  readonly handle: string
  readonly request: DefinitionRequest
  readonly identity: string
  readonly snapshot: StoredSnapshot
  readonly entries: ReadonlyArray<Entry>
  readonly sets: ValueSets
}

/** Where shapes are remembered. */
export interface ShapeStore {
  readonly install: (sql: Sql) => Promise<void>
  /** All shapes, and the last number the clock gave out (0 at the first start). */
  readonly load: (
    sql: Sql,
  ) => Promise<{ readonly shapes: ReadonlyArray<StoredShape>; readonly lastNumber: number }>
  readonly add: (sql: Sql, shape: StoredShape) => Promise<void>
  readonly append: (sql: Sql, handle: string, entries: ReadonlyArray<Entry>) => Promise<void>
  readonly setValues: (sql: Sql, handle: string, sets: ValueSets) => Promise<void>
  readonly drop: (sql: Sql, handles: ReadonlyArray<string>) => Promise<void>
  readonly setLastNumber: (sql: Sql, value: number) => Promise<void>
}

/** Keeps nothing. */
export const memory: ShapeStore = {
  install: () => Promise.resolve(),
  load: () => Promise.resolve({ shapes: [], lastNumber: 0 }),
  add: () => Promise.resolve(),
  append: () => Promise.resolve(),
  setValues: () => Promise.resolve(),
  drop: () => Promise.resolve(),
  setLastNumber: () => Promise.resolve(),
}

/** Entries one INSERT writes at most. */
const maxEntriesPerInsert = 2_000

const encodeRequest = (request: DefinitionRequest): string =>
  JSON.stringify({ ...request, params: [...request.params] })

const decodeRequest = (text: string): DefinitionRequest => {
  const decoded = JSON.parse(text) as Omit<DefinitionRequest, "params"> & {
    readonly params: ReadonlyArray<readonly [number, string]>
  }
  return { ...decoded, params: new Map(decoded.params) }
}

const encodeSets = (sets: ValueSets): string =>
  JSON.stringify([...sets].map(([sql, set]) => [sql, set.values()]))

const decodeSets = (text: string): ValueSets =>
  new Map(
    (JSON.parse(text) as ReadonlyArray<readonly [string, ReadonlyArray<TextRow>]>).map(([sql, rows]) => [
      sql,
      new ValueSet(rows),
    ]),
  )

/** Keeps shapes in tables of `schema`. */
export const durable = (schema: string): ShapeStore => {
  const s = quoteIdent(schema)
  const append: ShapeStore["append"] = async (sql, handle, entries) => {
    for (let from = 0; from < entries.length; from += maxEntriesPerInsert) {
      const batch = entries.slice(from, from + maxEntriesPerInsert)
      await sql.rows(
        `insert into ${s}.entries (handle, tx, op, json)
         select $1, (v ->> 0)::bigint, (v ->> 1)::bigint, v ->> 2
         from jsonb_array_elements($2::jsonb) with ordinality as e(v, i) order by i`,
        [handle, JSON.stringify(batch.map((entry) => [entry.offset.tx, entry.offset.op, entry.json]))],
      )
    }
  }
  return {
    install: (sql) =>
      sql.exec(`
        create table if not exists ${s}.shapes (handle text primary key, request text not null, identity text not null,
          snapshot text not null, value_sets text not null);
        create table if not exists ${s}.entries (n bigserial primary key, handle text not null, tx bigint not null,
          op bigint not null, json text not null);
        create table if not exists ${s}.state (is_single boolean primary key default true check (is_single), last_number bigint not null);
        insert into ${s}.state (last_number) values (0) on conflict do nothing;`),
    load: (sql) => load(sql, s),
    add: async (sql, shape) => {
      await sql.rows(
        `insert into ${s}.shapes (handle, request, identity, snapshot, value_sets) values ($1, $2, $3, $4, $5)`,
        [
          shape.handle,
          encodeRequest(shape.request),
          shape.identity,
          JSON.stringify(shape.snapshot),
          encodeSets(shape.sets),
        ],
      )
      await append(sql, shape.handle, shape.entries)
    },
    append,
    setValues: async (sql, handle, sets) => {
      await sql.rows(`update ${s}.shapes set value_sets = $2 where handle = $1`, [handle, encodeSets(sets)])
    },
    drop: async (sql, handles) => {
      if (handles.length === 0) return
      const list = JSON.stringify(handles)
      await sql.rows(
        `delete from ${s}.entries where handle in (select jsonb_array_elements_text($1::jsonb))`,
        [list],
      )
      await sql.rows(
        `delete from ${s}.shapes where handle in (select jsonb_array_elements_text($1::jsonb))`,
        [list],
      )
    },
    setLastNumber: async (sql, value) => {
      // An unchanged number must not write: a real Postgres would call the write news.
      await sql.rows(`update ${s}.state set last_number = $1::bigint where last_number <> $1::bigint`, [
        String(value),
      ])
    },
  }
}

const load = async (
  sql: Sql,
  s: string,
): Promise<{ readonly shapes: ReadonlyArray<StoredShape>; readonly lastNumber: number }> => {
  const entries = new Map<string, Array<Entry>>()
  for (const [handle, tx, op, json] of await sql.rows(
    `select handle, tx, op, json from ${s}.entries order by n`,
  )) {
    const list = entries.get(String(handle)) ?? []
    entries.set(String(handle), list)
    list.push({ offset: { tx: Number(tx), op: Number(op) }, json: String(json) })
  }
  const rows = await sql.rows(`select handle, request, identity, snapshot, value_sets from ${s}.shapes`)
  const shapes = rows.map(([handle, request, identity, snapshot, sets]) => ({
    handle: String(handle),
    request: decodeRequest(String(request)),
    identity: String(identity),
    snapshot: JSON.parse(String(snapshot)) as StoredSnapshot,
    entries: entries.get(String(handle)) ?? [],
    sets: decodeSets(String(sets)),
  }))
  const [state] = await sql.rows(`select last_number from ${s}.state`)
  return { shapes, lastNumber: Number(state?.[0] ?? 0) }
}

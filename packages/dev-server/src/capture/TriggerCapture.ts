/**
 * The capture adapter for PGlite: row triggers write every change of a tracked table into `<schema>.changes`, as row
 * literals under fixed output settings. PGlite runs one session, so the sequence order of that table is the commit order, and
 * a transaction's changes are contiguous. A table's changes are kept while no server runs (data directory).
 */
import type { Database, Sql, Text, TextRow } from "../db/Database.ts"
import type { Table } from "../db/catalog.ts"
import { quoteIdent, quoteText } from "../db/identifier.ts"
import { formatRecord, parseRecord } from "../db/recordLiteral.ts"
import type { Capture, Captured, CapturedTransaction, RowChange } from "./Capture.ts"

/** The settings Electric prints values under (protocol reference §3.1). */
const outputSettings =
  "set bytea_output = 'hex' set datestyle = 'ISO, DMY' set timezone = 'UTC' set extra_float_digits = 1 set intervalstyle = 'iso_8601'"

/** Statements that bring this session to the same output settings for the rest of its transaction. */
export const outputSettingsScript = `
  set local bytea_output = 'hex'; set local datestyle = 'ISO, DMY'; set local timezone = 'UTC';
  set local extra_float_digits = 1; set local intervalstyle = 'iso_8601'; set local search_path = "$user", public;
  set local standard_conforming_strings = on;`

/**
 * Fires before every other AFTER trigger, so that a cascade's parent is captured before its children (§13.4). A partition that
 * has shapes of its own has a trigger of its own beside the one it inherits from its root.
 */
const triggerName = (schema: string, table: Table): string =>
  table.isPartition ? `000_${schema}_${table.oid}` : `000_${schema}`

const installScript = (schema: string): string => {
  const s = quoteIdent(schema)
  const channel = quoteText(schema)
  return `
  create schema if not exists ${s};
  create table if not exists ${s}.changes (
    seq bigserial primary key, xid xid8 not null default pg_current_xact_id(),
    relation oid not null, op "char" not null, old_row text, new_row text);
  alter table ${s}.changes add column if not exists source oid;
  create or replace function ${s}.capture_row() returns trigger language plpgsql ${outputSettings} as $capture$
  begin
    insert into ${s}.changes (relation, source, op, old_row, new_row) values (
      tg_argv[0]::oid, tg_relid, left(tg_op, 1)::"char",
      case when tg_op in ('UPDATE', 'DELETE') then old::text end,
      case when tg_op in ('UPDATE', 'INSERT') then new::text end);
    perform pg_notify(${channel}, '');
    return null;
  end $capture$;
  create or replace function ${s}.capture_truncate() returns trigger language plpgsql as $capture$
  begin
    insert into ${s}.changes (relation, op) values (tg_argv[0]::oid, 'T');
    perform pg_notify(${channel}, '');
    return null;
  end $capture$;
  create or replace function ${s}.capture_ddl() returns event_trigger language plpgsql as $capture$
  begin
    insert into ${s}.changes (relation, op) values (0, 'S');
    perform pg_notify(${channel}, '');
  end $capture$;
  drop event trigger if exists ${quoteIdent(schema)};
  create event trigger ${quoteIdent(schema)} on ddl_command_end
    when tag in ('ALTER TABLE', 'DROP TABLE', 'ALTER TYPE', 'ALTER DOMAIN', 'ALTER SCHEMA', 'DROP SCHEMA', 'DROP TYPE')
    execute function ${s}.capture_ddl();`
}

const removeScript = (schema: string): string =>
  `drop event trigger if exists ${quoteIdent(schema)}; drop schema if exists ${quoteIdent(schema)} cascade;`

/** Answers whether the table was not captured before. */
const track = async (sql: Sql, schema: string, table: Table): Promise<boolean> => {
  const name = triggerName(schema, table)
  const oid = quoteText(table.oid)
  const [known] = await sql.rows(`select 1 from pg_trigger where tgrelid = $1::oid and tgname = $2`, [
    table.oid,
    name,
  ])
  if (known !== undefined) return false
  await sql.exec(`
    create trigger ${quoteIdent(name)} after insert or update or delete on ${table.sqlName}
      for each row execute function ${quoteIdent(schema)}.capture_row(${oid});`)
  // Row triggers of a partitioned table reach its partitions by themselves, TRUNCATE triggers do not.
  const tables = await sql.rows(
    `select $1::oid::regclass::text union all
     select relid::regclass::text from pg_partition_tree($1::oid) where relid <> $1::oid`,
    [table.oid],
  )
  for (const [target] of tables) {
    await sql.exec(`
      create trigger ${quoteIdent(`${name}_truncate`)} after truncate on ${String(target)}
        for each statement execute function ${quoteIdent(schema)}.capture_truncate(${oid});`)
  }
  return true
}

const operations: Readonly<Record<string, RowChange["operation"]>> = { I: "insert", U: "update", D: "delete" }

/** Transaction ids on the wire are the low 32 bits. */
const narrow = (xid: string): number => Number(BigInt(xid) & 0xffffffffn)

/** Partitions may order their columns differently from their root: brings their rows into the root's order. */
const partitionOrders = async (
  sql: Sql,
  rows: ReadonlyArray<TextRow>,
): Promise<(source: Text | undefined, literal: Text | undefined) => Text> => {
  const roots = new Map(
    rows.flatMap(([, relation, , , , source]) =>
      source != null && source !== relation ? [[source, String(relation)] as const] : [],
    ),
  )
  const orders = new Map<string, ReadonlyArray<number>>()
  for (const [source, root] of roots) {
    const names = (await sql.rows(columnNamesQuery, [source])).map(([name]) => name)
    const wanted = (await sql.rows(columnNamesQuery, [root])).map(([name]) => name)
    const order = wanted.map((name) => names.indexOf(name ?? null))
    if (order.some((from, to) => from !== to)) orders.set(source, order)
  }
  return (source, literal) => {
    const order = orders.get(source ?? "")
    if (order === undefined || literal == null) return literal ?? null
    const fields = parseRecord(literal)
    return formatRecord(order.map((from) => fields[from] ?? null))
  }
}

const columnNamesQuery =
  "select attname from pg_attribute where attrelid = $1::oid and attnum > 0 and not attisdropped order by attnum"

const take = async (sql: Sql, schema: string): Promise<Captured> => {
  const rows = await sql.rows(
    `with taken as (delete from ${quoteIdent(schema)}.changes returning *)
     select xid, relation, op, old_row, new_row, source from taken order by seq`,
  )
  const arrange = await partitionOrders(sql, rows)
  const transactions: Array<CapturedTransaction & { readonly xid: string }> = []
  let schemaChanged = false
  let changes: Array<RowChange> = []
  let truncated: Array<string> = []
  let position = 0
  for (const [xid, relation, op, oldRow, newRow, source] of rows) {
    if (op === "S") {
      schemaChanged = true
      continue
    }
    if (transactions.at(-1)?.xid !== xid) {
      changes = []
      truncated = []
      position = 0
      transactions.push({ xid: String(xid), txid: narrow(String(xid)), lsn: null, changes, truncated })
    }
    const operation = operations[String(op)]
    if (operation === undefined) truncated.push(String(relation))
    else {
      changes.push({
        operation,
        relation: String(relation),
        position,
        oldRow: arrange(source, oldRow),
        newRow: arrange(source, newRow),
      })
      position += 2
    }
  }
  return { transactions, schemaChanged, lost: [] }
}

/**
 * Trigger capture in `schema`. Two servers over one database need two schemas: each takes the changes of its own.
 */
export const make = (db: Database, schema: string): Capture => ({
  install: async (sql) => {
    await sql.exec(installScript(schema))
    return null
  },
  track: (tables) =>
    db.transaction(async (sql) => {
      const added: Array<string> = []
      for (const table of tables) if (await track(sql, schema, table)) added.push(table.oid)
      return added
    }),
  // Notifications of PGlite come before the statement that commits has been answered.
  isBehind: () => Promise.resolve(false),
  take: (sql) => take(sql, schema),
  // PGlite has no autovacuum and no checkpointer: dead rows and the write-ahead log would grow without end.
  tidy: async () => {
    await db.exec(`vacuum ${quoteIdent(schema)}.changes`)
    await db.exec("checkpoint")
  },
  listen: (heard) => db.listen(schema, heard),
  remove: (sql) => sql.exec(removeScript(schema)),
})

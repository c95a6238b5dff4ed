/**
 * The statements that make Postgres publish tables to us, the way Electric does: one publication, tables added as shapes
 * name them, REPLICA IDENTITY FULL so that the log holds whole old rows. Also reads back what is published and what the
 * tables look like in a transaction's snapshot. No state.
 */
import type { Sql } from "../db/Database.ts"
import type { Table } from "../db/catalog.ts"
import { quoteIdent, quoteText } from "../db/identifier.ts"

/** A published table as one snapshot shows it. */
export interface PublishedTable {
  readonly oid: string
  /** Names in table order; what a row literal holds. */
  readonly columns: ReadonlyArray<string>
  /** The tables its changes are logged under: its partitions, or itself. */
  readonly sources: ReadonlyArray<string>
  /** Changes with anything about the table that rows are read by. */
  readonly fingerprint: string
  /** Whether it is in the publication and logs whole old rows. */
  readonly isFollowed: boolean
  /** SQL names of partitions that do not log whole old rows yet. */
  readonly partial: ReadonlyArray<string>
}

/** Names servers without a lasting name choose; what a killed one leaves behind is found by it. */
const passingName = /^espalier_capture_[0-9a-z]{6,}$/u

/** A name for a server that leaves nothing behind. */
export const passingNameOf = (unique: number): string => `espalier_capture_${unique.toString(36)}`

/** Runs statements without parameters and answers rows. */
export type Query = (text: string) => Promise<ReadonlyArray<Readonly<Record<string, string>>>>

/** Makes the publication where there is none, and removes those of servers that were killed. */
export const publish = async (query: Query, name: string): Promise<void> => {
  for (const { pubname = "" } of await query("select pubname from pg_publication")) {
    if (pubname !== name && passingName.test(pubname)) await dropAbandoned(query, pubname)
  }
  const known = await query(`select pubname from pg_publication where pubname = ${quoteText(name)}`)
  if (known.length > 0) return
  const [server] = await query(
    "select (current_setting('server_version_num')::int >= 180000)::text as is_new",
  )
  const generated = server?.["is_new"] === "true" ? " with (publish_generated_columns = stored)" : ""
  await query(`create publication ${quoteIdent(name)}${generated}`)
}

/** A living server holds the lock of its name. */
const dropAbandoned = async (query: Query, name: string): Promise<void> => {
  const key = `hashtextextended(${quoteText(name)}, 0)`
  const [lock] = await query(`select pg_try_advisory_lock(${key})::text as held`)
  if (lock?.["held"] !== "true") return
  await query(`drop publication if exists ${quoteIdent(name)}`)
  await query(`select pg_advisory_unlock(${key})`)
}

/** Takes the publication and a lasting slot out of the database. Fails while a server uses the slot. */
export const unpublish = async (sql: Sql, name: string): Promise<void> => {
  await sql.exec(`drop publication if exists ${quoteIdent(name)}`)
  // A temporary slot ends with its connection, soon after that was closed.
  await sql.rows(
    "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1 and not temporary",
    [name],
  )
}

const treeQuery = `
  select c.oid::regclass::text, c.relkind, c.relreplident
  from pg_class c
  where c.oid = $1::oid or c.oid in (select relid from pg_partition_tree($1::oid))`

/**
 * Publishes a table. Takes a lock that waits for every transaction that is writing to it: one that had begun earlier would
 * log some of its changes the old way. Answers false where nothing had to be done.
 */
export const publishTable = async (sql: Sql, name: string, table: Table): Promise<boolean> => {
  const tree = await sql.rows(treeQuery, [table.oid])
  const partial = tree.filter(([, , identity]) => identity !== "f")
  const [member] = await sql.rows(
    `select 1 from pg_publication_rel r join pg_publication p on p.oid = r.prpubid
     where p.pubname = $1 and r.prrelid = $2::oid`,
    [name, table.oid],
  )
  if (member !== undefined && partial.length === 0) return false
  await sql.exec(`lock table ${table.sqlName} in share row exclusive mode`)
  if (member === undefined) {
    await sql.exec(`alter publication ${quoteIdent(name)} add table only ${table.sqlName}`)
  }
  for (const [target] of partial) await sql.exec(`alter table only ${String(target)} replica identity full`)
  return true
}

/** Makes partitions log whole old rows. */
export const followPartitions = async (sql: Sql, partitions: ReadonlyArray<string>): Promise<void> => {
  for (const partition of partitions) await sql.exec(`alter table only ${partition} replica identity full`)
}

const publishedQuery = `
  select c.oid, c.relreplident = 'f' and exists (
      select from pg_publication_rel r join pg_publication p on p.oid = r.prpubid
      where p.pubname = $1 and r.prrelid = c.oid),
    (select json_agg(a.attname order by a.attnum) from pg_attribute a
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
    json_build_array(n.nspname, c.relname,
      (select json_agg(json_build_array(a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.attgenerated) order by a.attnum)
        from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
      (select i.indkey::text from pg_index i where i.indrelid = c.oid and i.indisprimary)),
    (select coalesce(json_agg(json_build_array(l.oid::text, l.relreplident = 'f', l.oid::regclass::text)), '[]')
      from pg_partition_tree(c.oid) t join pg_class l on l.oid = t.relid where l.relkind = 'r')
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.oid in (select x::oid from jsonb_array_elements_text($2::jsonb) as e(x))`

/** Reads published tables as the transaction's snapshot shows them. Dropped ones are missing from the answer. */
export const readPublished = async (
  sql: Sql,
  name: string,
  oids: Iterable<string>,
): Promise<ReadonlyMap<string, PublishedTable>> => {
  const rows = await sql.rows(publishedQuery, [name, JSON.stringify([...oids])])
  return new Map(
    rows.map(([oid, isFollowed, columns, fingerprint, leaves]) => {
      const partitions = JSON.parse(String(leaves)) as ReadonlyArray<readonly [string, boolean, string]>
      const table: PublishedTable = {
        oid: String(oid),
        columns: JSON.parse(columns ?? "[]") as ReadonlyArray<string>,
        sources: partitions.length === 0 ? [String(oid)] : partitions.map(([source]) => source),
        fingerprint: String(fingerprint),
        isFollowed: isFollowed === "t",
        partial: partitions.filter(([, isWhole]) => !isWhole).map(([, , sqlName]) => sqlName),
      }
      return [table.oid, table]
    }),
  )
}

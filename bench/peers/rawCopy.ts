/**
 * The floors: rows that are text or bytes already, handed to Postgres by `COPY` with no client work at all. No provenance, no
 * checkpoint; nothing that keeps promises can be expected to beat the binary one.
 */
import type { PGlite } from "@electric-sql/pglite"
import type { WideRow } from "../lib/wideRows.ts"

/** Rows as CSV. */
export const csvOf = (rows: ReadonlyArray<WideRow>): Blob =>
  new Blob(
    rows.map(
      (row) =>
        `${Object.values(row)
          .map((value) => `"${value.replaceAll('"', '""')}"`)
          .join(",")}\n`,
    ),
  )

/** The table's content as PGCOPY binary, made by Postgres itself. */
export const binaryOf = async (pglite: PGlite, table: string): Promise<Blob> => {
  const { blob } = await pglite.query(`copy ${table} to '/dev/blob' with (format binary)`)
  if (blob === undefined || blob === null) throw new Error("COPY TO gave no bytes")
  return blob
}

/** Loads a blob into the table. */
export const copyFrom = async (
  pglite: PGlite,
  table: string,
  blob: Blob,
  format: "csv" | "binary",
): Promise<void> => {
  await pglite.query(`copy ${table} from '/dev/blob' with (format ${format})`, [], { blob })
}

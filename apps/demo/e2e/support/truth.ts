/**
 * Compares every local table of a page with the rows the server says that person may see: SQL on both sides, all columns as
 * text. Answers with differences in words, so that a failing wait says what is missing where.
 */
import type { Page } from "playwright-core"
import { graph } from "../../shared/graph.ts"
import { query, until, within } from "./browser.ts"

type Row = Readonly<Record<string, string | null>>

/** The demo's people and companies that the tests name. */
export const amara = "10000000-0000-4000-8000-000000000001"
export const mei = "10000000-0000-4000-8000-000000000003"
export const noor = "10000000-0000-4000-8000-000000000007"
export const harbor = "20000000-0000-4000-8000-000000000001"
export const lumen = "20000000-0000-4000-8000-000000000002"
export const fieldnote = "20000000-0000-4000-8000-000000000003"
export const cobalt = "20000000-0000-4000-8000-000000000004"

export interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

/** A request to the page server, as a script outside the browser makes it. */
export const call = async (base: string, method: string, path: string, body?: unknown): Promise<Answer> => {
  const response = await fetch(`${base}${path}`, {
    method,
    headers: { "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return {
    status: response.status,
    body: JSON.parse(text === "" ? "{}" : text) as Readonly<Record<string, unknown>>,
  }
}

/** A change on the server; fails the test when the server refuses. Returns the row. */
export const change = async (
  base: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<Answer["body"]> => {
  const answer = await call(base, method, `/api/server${path}`, body)
  if (answer.status >= 300)
    throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
  return answer.body
}

/** Every local table as the server says it must be. */
const serverTables = async (
  base: string,
  userId: string,
): Promise<Readonly<Record<string, ReadonlyArray<Row>>>> => {
  const { tables } = await change(base, "GET", `/truth?userId=${userId}`)
  return tables as Readonly<Record<string, ReadonlyArray<Row>>>
}

/** Every local table as the page's Postgres holds it, in one statement so that it is one instant. */
export const localTables = async (page: Page): Promise<Readonly<Record<string, ReadonlyArray<Row>>>> => {
  const tables = Object.values(graph.tables)
  const selects = tables.map(({ name, columns, primaryKey }) => {
    const fields = Object.entries(columns).map(([column, { type }]) => {
      // The server answers in UTC; a session here may have another zone.
      const value =
        type === "timestamptz" ? `("${column}" at time zone 'UTC')::text || '+00'` : `"${column}"::text`
      return `'${column}', ${value}`
    })
    const key = primaryKey.map((column) => `"${column}"`).join(", ")
    return `(select coalesce(json_agg(json_build_object(${fields.join(", ")}) order by ${key}), '[]')::text from "${name}") as "${name}"`
  })
  const [row] = await query(page, `select ${selects.join(", ")}`)
  return Object.fromEntries(
    tables.map(({ name }) => [name, JSON.parse(String(row?.[name])) as ReadonlyArray<Row>]),
  )
}

/** What differs, in words; empty when browser and server agree. */
export const differences = async (
  page: Page,
  base: string,
  userId: string,
): Promise<ReadonlyArray<string>> => {
  const [local, server] = await Promise.all([localTables(page), serverTables(base, userId)])
  return Object.values(graph.tables).flatMap(({ name, primaryKey }) => {
    const idOf = (row: Row): string => primaryKey.map((column) => row[column]).join("/")
    const here = new Map((local[name] ?? []).map((row) => [idOf(row), row]))
    const there = new Map((server[name] ?? []).map((row) => [idOf(row), row]))
    const missing = [...there.keys()].filter((id) => !here.has(id))
    const extra = [...here.keys()].filter((id) => !there.has(id))
    const other = [...there].filter(
      ([id, row]) => here.has(id) && JSON.stringify(here.get(id)) !== JSON.stringify(row),
    )
    return [
      ...missing.slice(0, 5).map((id) => `${name} ${id} is missing (${missing.length} in all)`),
      ...extra.slice(0, 5).map((id) => `${name} ${id} is too many (${extra.length} in all)`),
      ...other
        .slice(0, 5)
        .map(([id, row]) => `${name} ${id}: ${JSON.stringify(here.get(id))}, not ${JSON.stringify(row)}`),
      ...((local[name] ?? []).length === here.size ? [] : [`${name} holds a row twice`]),
    ]
  })
}

/** Waits until every local table equals the server's truth. */
export const untilEqual = (
  page: Page,
  base: string,
  userId: string,
  timeout: number = within.sync,
): Promise<void> => until(() => differences(page, base, userId), [], timeout)

/**
 * Reads the `order_by` of a subset: columns with a direction, nothing else, in Electric's words. What comes back is
 * written anew from the tree, so no text of a request reaches a statement.
 */
import { hasSqlDetails, loadModule, parseSync } from "libpg-query"
import type { Column } from "../db/catalog.ts"
import { quoteIdent } from "../db/identifier.ts"
import { type Fields, list, type Node, open, stringOf } from "./ast.ts"
import { DefinitionError } from "./WhereError.ts"

const field = "order_by"

/** Locations in Electric's messages count from the start of this. */
const prefix = "SELECT 1 ORDER BY "

const refuse = (message: string): DefinitionError => new DefinitionError(field, message)

const refuseAt = (location: unknown, message: string): DefinitionError =>
  refuse(`At location ${Number(location ?? 0)}: ${message}`)

/** SQL of the order, without the keywords. @throws DefinitionError with the field `order_by` */
export const readOrderBy = async (text: string, columns: ReadonlyArray<Column>): Promise<string> => {
  await loadModule()
  const select = parse(text)
  const expected = new Set(["targetList", "sortClause", "limitOption", "op"])
  if (Object.keys(select).some((key) => !expected.has(key)) || select["op"] !== "SETOP_NONE") {
    throw refuse("Unexpected clause after order by")
  }
  return list(select["sortClause"])
    .map((item) => itemSql(open(item)[1], columns))
    .join(", ")
}

const parse = (text: string): Fields => {
  let statements: ReadonlyArray<Node>
  try {
    statements = list(parseSync(prefix + text).stmts)
  } catch (error) {
    if (!hasSqlDetails(error) || error.sqlDetails === undefined) throw error
    throw refuseAt(error.sqlDetails.cursorPosition, error.sqlDetails.message)
  }
  if (statements.length !== 1) throw refuse("Unexpected `;` in order by")
  return open((statements[0] ?? {})["stmt"])[1]
}

const directions: Readonly<Record<string, string>> = { SORTBY_ASC: " ASC", SORTBY_DESC: " DESC" }

const nullPlaces: Readonly<Record<string, string>> = {
  SORTBY_NULLS_FIRST: " NULLS FIRST",
  SORTBY_NULLS_LAST: " NULLS LAST",
}

const itemSql = (item: Fields, columns: ReadonlyArray<Column>): string => {
  const expression = expressionSql(item["node"] as Node, columns)
  const direction = String(item["sortby_dir"])
  const using = direction === "SORTBY_USING" ? ` USING ${usingOperator(item)}` : (directions[direction] ?? "")
  return `${expression}${using}${nullPlaces[String(item["sortby_nulls"])] ?? ""}`
}

const usingOperator = (item: Fields): string => {
  const name = stringOf(list(item["useOp"])[0])
  if (name !== "<" && name !== ">") throw refuseAt(item["location"], `unsupported operator ${name}`)
  return name
}

/** A column, or the number 1 for the first item of the select list, as Electric accepts it. */
const expressionSql = (node: Node, columns: ReadonlyArray<Column>): string => {
  const [kind, fields] = open(node)
  if (kind === "A_Const" && ((fields["ival"] ?? {}) as Fields)["ival"] === 1) return "1"
  if (kind !== "ColumnRef") {
    throw refuseAt(fields["location"], `${kind} expressions are not allowed in ORDER BY clauses`)
  }
  const names = list(fields["fields"]).map(stringOf)
  const column = columns.find((candidate) => names.length === 1 && candidate.name === names[0])
  if (column === undefined) throw refuseAt(fields["location"], `unknown reference ${names.join(".")}`)
  return quoteIdent(column.name)
}

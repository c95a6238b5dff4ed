/**
 * Writes one expression of a where-clause back as SQL, fully parenthesised, and refuses what Electric refuses on the way.
 * Postgres stays the judge of types; this only limits the vocabulary. Subqueries are handed to the caller. Pure.
 */
import { quoteIdent, quoteText } from "../db/identifier.ts"
import type { Table } from "../db/catalog.ts"
import { type Fields, list, type Node, open, stringOf } from "./ast.ts"
import { castTargets, functions, isAggregation, operators, patternOperators } from "./vocabulary.ts"
import { whereErrorAt } from "./WhereError.ts"

/** What names mean at this level of a clause. */
export interface Scope {
  readonly table: Table
  /** SQL of parameter `$n`. */
  readonly parameter: (number: number, location: unknown) => string
  /** SQL of an `IN (SELECT …)` that stands where a boolean may. */
  readonly subquery: (fields: Fields, scope: Scope) => string
}

/** SQL of a boolean expression, connectives and subqueries included. */
export const booleanSql = (node: Node, scope: Scope): string => {
  const [kind, fields] = open(node)
  if (kind === "SubLink") return scope.subquery(fields, scope)
  if (kind !== "BoolExpr") return valueSql(node, scope)
  const parts = list(fields["args"]).map((arg) => booleanSql(arg, scope))
  if (fields["boolop"] === "NOT_EXPR") return `(NOT ${parts[0] ?? ""})`
  return `(${parts.join(fields["boolop"] === "AND_EXPR" ? " AND " : " OR ")})`
}

/** SQL of any other expression. */
export const valueSql = (node: Node, scope: Scope): string => {
  const [kind, fields] = open(node)
  const write = writers[kind]
  if (write === undefined) throw whereErrorAt(fields["location"], `${kind} is not supported in this context`)
  return write(fields, scope)
}

const all = (nodes: unknown, scope: Scope): string =>
  list(nodes)
    .map((node) => valueSql(node, scope))
    .join(", ")

const needsQuotes = (name: string): boolean => !/^[a-z_][a-z0-9_$]*$/u.test(name)

/** SQL of a column of this level; the words of an unknown one are Electric's. */
export const columnSql = (fields: Fields, scope: Scope): string => {
  const names = list(fields["fields"]).map(stringOf)
  const [name] = names
  if (
    names.length === 1 &&
    name !== undefined &&
    scope.table.columns.some((column) => column.name === name)
  ) {
    return quoteIdent(name)
  }
  const spelled = names.map((part) => (needsQuotes(part) ? quoteIdent(part) : part)).join(".")
  throw whereErrorAt(fields["location"], `unknown reference ${spelled}`)
}

const constantSql = (fields: Fields): string => {
  const part = (name: string): Fields => (fields[name] ?? {}) as Fields
  if (fields["isnull"] === true) return "NULL"
  if ("ival" in fields) return `(${String(part("ival")["ival"] ?? 0)})`
  if ("fval" in fields) return `(${String(part("fval")["fval"])})`
  if ("boolval" in fields) return part("boolval")["boolval"] === true ? "TRUE" : "FALSE"
  if ("sval" in fields) return quoteText(String(part("sval")["sval"] ?? ""))
  throw whereErrorAt(fields["location"], "BitString is not supported in this context")
}

/** SQL of a cast target. */
const typeSql = (typeName: Fields): string => {
  const names = list(typeName["names"]).map(stringOf)
  const name = names.at(-1) ?? ""
  if (!castTargets.has(name) || (names.length > 1 && names[0] !== "pg_catalog")) {
    throw whereErrorAt(typeName["location"], `unsupported type ${name}`)
  }
  const modifiers = list(typeName["typmods"]).map((mod) => constantSql(open(mod)[1]).replace(/[()]/gu, ""))
  const suffix = name !== "interval" && modifiers.length > 0 ? `(${modifiers.join(", ")})` : ""
  return `pg_catalog.${name}${suffix}${list(typeName["arrayBounds"]).length > 0 ? "[]" : ""}`
}

const callSql = (fields: Fields, scope: Scope): string => {
  const names = list(fields["funcname"]).map(stringOf)
  const name = names.at(-1) ?? ""
  if (isAggregation(fields)) {
    throw whereErrorAt(fields["location"], "aggregation is not supported in this context")
  }
  const args = list(fields["args"])
  const arities = Object.hasOwn(functions, name) ? (functions[name] ?? []) : []
  const known = arities.includes(-1) || arities.includes(args.length)
  if (!known || (names.length > 1 && names[0] !== "pg_catalog") || fields["func_variadic"] === true) {
    throw whereErrorAt(fields["location"], `unknown or unsupported function ${name}/${args.length}`)
  }
  return `pg_catalog.${quoteIdent(name)}(${all(args, scope)})`
}

const operatorName = (fields: Fields): string => {
  const name = stringOf(list(fields["name"])[0])
  if (!operators.has(name) || list(fields["name"]).length !== 1) {
    const arity = fields["lexpr"] === undefined ? "unary" : "binary"
    throw whereErrorAt(fields["location"], `unknown ${arity} operator "${name}"`)
  }
  return name
}

const keywordOperators: Readonly<Record<string, string>> = {
  AEXPR_DISTINCT: "IS DISTINCT FROM",
  AEXPR_NOT_DISTINCT: "IS NOT DISTINCT FROM",
}

const betweens: Readonly<Record<string, string>> = {
  AEXPR_BETWEEN: "BETWEEN",
  AEXPR_NOT_BETWEEN: "NOT BETWEEN",
  AEXPR_BETWEEN_SYM: "BETWEEN SYMMETRIC",
  AEXPR_NOT_BETWEEN_SYM: "NOT BETWEEN SYMMETRIC",
}

const operationSql = (fields: Fields, scope: Scope): string => {
  const kind = String(fields["kind"] ?? "AEXPR_OP")
  const left = (): string => valueSql(fields["lexpr"] as Node, scope)
  const right = (): string => valueSql(fields["rexpr"] as Node, scope)
  const first = stringOf(list(fields["name"])[0])
  if (kind === "AEXPR_OP") {
    const operator = operatorName(fields)
    return fields["lexpr"] === undefined ? `(${operator} ${right()})` : `(${left()} ${operator} ${right()})`
  }
  if (kind === "AEXPR_OP_ANY" || kind === "AEXPR_OP_ALL") {
    const operator = patternOperators.has(first) ? first : operatorName(fields)
    return `(${left()} ${operator} ${kind === "AEXPR_OP_ANY" ? "ANY" : "ALL"} (${right()}))`
  }
  const keyword = keywordOperators[kind]
  if (keyword !== undefined) return `(${left()} ${keyword} ${right()})`
  const between = betweens[kind]
  if (between !== undefined) {
    const [low, high] = list(open(fields["rexpr"])[1]["items"])
    return `(${left()} ${between} ${valueSql(low ?? {}, scope)} AND ${valueSql(high ?? {}, scope)})`
  }
  if (kind === "AEXPR_IN")
    return `(${left()} ${first === "=" ? "IN" : "NOT IN"} (${all(open(fields["rexpr"])[1]["items"], scope)}))`
  if (kind === "AEXPR_LIKE" || kind === "AEXPR_ILIKE") {
    const word = kind === "AEXPR_LIKE" ? "LIKE" : "ILIKE"
    return `(${left()} ${first.startsWith("!") ? "NOT " : ""}${word} ${right()})`
  }
  throw whereErrorAt(fields["location"], `${kind} is not supported in this context`)
}

const indirectionSql = (fields: Fields, scope: Scope): string => {
  const steps = list(fields["indirection"]).map((step) => {
    const [kind, indices] = open(step)
    if (kind !== "A_Indices")
      throw whereErrorAt(fields["location"], `${kind} is not supported in this context`)
    const bound = (name: string): string =>
      indices[name] === undefined ? "" : valueSql(indices[name] as Node, scope)
    return indices["is_slice"] === true ? `[${bound("lidx")}:${bound("uidx")}]` : `[${bound("uidx")}]`
  })
  return `(${valueSql(fields["arg"] as Node, scope)})${steps.join("")}`
}

const booleanTests: Readonly<Record<string, string>> = {
  IS_TRUE: "IS TRUE",
  IS_NOT_TRUE: "IS NOT TRUE",
  IS_FALSE: "IS FALSE",
  IS_NOT_FALSE: "IS NOT FALSE",
  IS_UNKNOWN: "IS UNKNOWN",
  IS_NOT_UNKNOWN: "IS NOT UNKNOWN",
}

type Writer = (fields: Fields, scope: Scope) => string

const writers: Readonly<Record<string, Writer>> = {
  ColumnRef: columnSql,
  A_Const: (fields) => constantSql(fields),
  ParamRef: (fields, scope) => scope.parameter(Number(fields["number"] ?? 0), fields["location"]),
  A_Expr: operationSql,
  FuncCall: callSql,
  TypeCast: (fields, scope) =>
    `CAST(${valueSql(fields["arg"] as Node, scope)} AS ${typeSql(fields["typeName"] as Fields)})`,
  A_ArrayExpr: (fields, scope) => `ARRAY[${all(fields["elements"], scope)}]`,
  A_Indirection: indirectionSql,
  CoalesceExpr: (fields, scope) => `COALESCE(${all(fields["args"], scope)})`,
  MinMaxExpr: (fields, scope) =>
    `${fields["op"] === "IS_LEAST" ? "LEAST" : "GREATEST"}(${all(fields["args"], scope)})`,
  NullTest: (fields, scope) =>
    `(${booleanOperand(fields, scope)} IS ${fields["nulltesttype"] === "IS_NOT_NULL" ? "NOT " : ""}NULL)`,
  BooleanTest: (fields, scope) =>
    `(${booleanOperand(fields, scope)} ${booleanTests[String(fields["booltesttype"] ?? "IS_TRUE")] ?? "IS TRUE"})`,
  BoolExpr: (fields, scope) => booleanSql({ BoolExpr: fields }, { ...scope, subquery: refuseSubquery }),
  SubLink: (fields) => refuseSubquery(fields),
}

const booleanOperand = (fields: Fields, scope: Scope): string => valueSql(fields["arg"] as Node, scope)

/** A subquery's truth is tracked per row, so it may only be joined by AND, OR and NOT. */
const refuseSubquery = (fields: Fields): never => {
  throw whereErrorAt(
    fields["location"],
    fields["subLinkType"] === "ANY_SUBLINK" && fields["operName"] === undefined
      ? "`IN (SELECT ...)` can only be combined by AND, OR and NOT"
      : "only `value IN (SELECT ...)` sublinks are supported right now",
  )
}

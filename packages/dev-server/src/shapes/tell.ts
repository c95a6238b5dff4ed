/**
 * Turns captured transactions into log entries of one shape. Plain shapes: each change, judged before and after. Subquery
 * shapes: move-outs, then changes as seen between the moves, then move-ins with their rows, so that a client that replays
 * the log with tags holds exactly the rows of the condition. Several transactions told at once count as one move.
 */
import type { CapturedTransaction, RowChange } from "../capture/Capture.ts"
import type { Sql, Text, TextRow } from "../db/Database.ts"
import type { Evaluation } from "./evaluate.ts"
import {
  type ChangeMessage,
  deleteMessage,
  insertMessage,
  keyOf,
  type LogHeaders,
  moveEvent,
  type Row,
  snapshotEndMessage,
  snapshotRow,
  updateMessage,
} from "./messages.ts"
import { movesBetween, needsLeftValues, patternsOf, type PositionMoves } from "./moves.ts"
import { nextSynthetic, type Offset } from "./offset.ts"
import {
  membershipOf,
  movedInRestriction,
  readFacts,
  readLeftValues,
  readRows,
  readVisibility,
} from "./read.ts"
import type { Rows } from "./Rows.ts"
import {
  dependenciesOf,
  flatExpressions,
  plainConditions,
  rowExpressions,
  type Shape,
  type ValueSets,
} from "./Shape.ts"
import type { Entry } from "./ShapeLog.ts"
import { isVisible, type RowFacts } from "./tags.ts"

/** A captured transaction with its place in every log. */
export interface TellTransaction extends CapturedTransaction {
  readonly lsn: number
}

/** What is known of the changed rows of a round. */
export interface Known {
  readonly evaluation: Evaluation
  readonly rows: Rows
}

/** What a shape has to be told. */
export interface Told {
  readonly entries: ReadonlyArray<Entry>
  readonly sets: ValueSets
}

/** The state of a row image: the row, whether the shape holds it, and what it says. */
interface Judged {
  readonly row: Row
  readonly isHeld: boolean
  readonly facts: RowFacts
}

/** The values of a row's expressions, by row literal. */
export type ValuesOf = (literal: string) => ReadonlyArray<Text>

/** Tells a shape without subqueries. */
export const tellPlain = (
  shape: Shape,
  transactions: ReadonlyArray<TellTransaction>,
  { evaluation, rows }: Known,
): Told => {
  const { table, equalities } = shape.definition
  const conditions = plainConditions(shape)
  const judge = (literal: string): Judged => {
    const row = rows.of(table, literal)
    const isHeld =
      equalities.every(({ column, value }) => row.get(column) === value) &&
      conditions.every((condition) => evaluation.value(condition, literal) === "t")
    return { row, isHeld, facts: { truths: [], left: [] } }
  }
  return {
    entries: transactions.flatMap((transaction) => changeEntries(shape, transaction, judge)),
    sets: shape.sets,
  }
}

/** Tells a shape with subqueries. `sets` are the inner values now. */
export const tellSubqueries = async (
  sql: Sql,
  shape: Shape,
  transactions: ReadonlyArray<TellTransaction>,
  known: Known,
  sets: ValueSets,
): Promise<Told> => {
  const { evaluation, rows } = known
  const { definition, handle } = shape
  const form = definition.normalForm
  if (form === null) return tellPlain(shape, transactions, known)
  const expressions = rowExpressions(definition)
  const flat = flatExpressions(expressions)
  const valuesOf: ValuesOf = (literal) => flat.map((expression) => evaluation.value(expression, literal))
  const changed = transactions
    .flatMap((transaction) => transaction.changes)
    .filter((change) => change.relation === definition.table.oid)
  const images = changed
    .flatMap((change) => [change.oldRow, change.newRow])
    .filter((literal) => literal !== null)
  const leftValues = await allLeftValues(sql, shape, sets, images.map(valuesOf))
  const moves = movesBetween(form, shape.sets, sets, (position) => leftValues.get(position) ?? [])
  const between = (values: ReadonlyArray<Text>): RowFacts => {
    const was = readFacts(definition, expressions, shape.sets, values)
    const is = readFacts(definition, expressions, sets, values)
    return {
      truths: was.truths.map((known, position) => known && is.truths[position] === true),
      left: is.left,
    }
  }
  const judge = (literal: string): Judged => {
    const facts = between(valuesOf(literal))
    return { row: rows.of(definition.table, literal), isHeld: isVisible(form, facts.truths), facts }
  }
  const writer = makeWriter(shape.log.base)
  const txids = transactions
    .filter((transaction) => touches(definition, transaction))
    .map((transaction) => transaction.txid)
  for (const patterns of patternsOf(handle, moves, "out")) writer.synthetic(moveEvent("out", patterns, txids))
  for (const transaction of transactions) writer.take(changeEntries(shape, transaction, judge))
  const moveIns = patternsOf(handle, moves, "in")
  for (const patterns of moveIns) writer.synthetic(moveEvent("in", patterns, txids))
  if (moveIns.length > 0) await tellMovedIn(sql, shape, moves, sets, between, writer)
  return { entries: writer.entries, sets }
}

const touches = (definition: Shape["definition"], transaction: TellTransaction): boolean => {
  const dependencies = dependenciesOf(definition)
  return (
    transaction.changes.some((change) => dependencies.has(change.relation)) ||
    transaction.truncated.some((relation) => dependencies.has(relation))
  )
}

/** Left values of all rows there were or are, at the positions whose moves depend on them. */
const allLeftValues = async (
  sql: Sql,
  shape: Shape,
  sets: ValueSets,
  images: ReadonlyArray<ReadonlyArray<Text>>,
): Promise<ReadonlyMap<number, ReadonlyArray<TextRow>>> => {
  const { definition } = shape
  const expressions = rowExpressions(definition)
  const found = new Map<number, ReadonlyArray<TextRow>>()
  for (const [position, literal] of (definition.normalForm?.literals ?? []).entries()) {
    const columns = expressions.left[position]
    if (literal.kind !== "subquery" || columns === null || columns === undefined) continue
    if (!needsLeftValues(literal, shape.sets, sets)) continue
    const old = images.map((values) => readFacts(definition, expressions, sets, values).left[position] ?? [])
    found.set(position, [...old, ...(await readLeftValues(sql, definition, columns))])
  }
  return found
}

const tellMovedIn = async (
  sql: Sql,
  shape: Shape,
  moves: ReadonlyArray<PositionMoves>,
  sets: ValueSets,
  between: (values: ReadonlyArray<Text>) => RowFacts,
  writer: Writer,
): Promise<void> => {
  const { definition, handle } = shape
  const form = definition.normalForm
  if (form === null) return
  const expressions = rowExpressions(definition)
  let found = 0
  for (const { row, values } of await readRows(sql, definition, movedInRestriction(moves))) {
    const facts = readFacts(definition, expressions, sets, values)
    if (!isVisible(form, facts.truths) || isVisible(form, between(values).truths)) continue
    writer.synthetic(snapshotRow(definition, row, membershipOf(definition, handle, facts), true))
    found += 1
  }
  if (found > 0) writer.synthetic(snapshotEndMessage(await readVisibility(sql)))
}

interface Writer {
  readonly entries: Array<Entry>
  readonly synthetic: (message: object) => void
  readonly take: (entries: ReadonlyArray<Entry>) => void
}

const makeWriter = (end: Offset): Writer => {
  const entries: Array<Entry> = []
  return {
    entries,
    synthetic: (message) => {
      entries.push({ offset: nextSynthetic(entries.at(-1)?.offset ?? end), json: JSON.stringify(message) })
    },
    take: (more) => {
      entries.push(...more)
    },
  }
}

interface Numbered {
  readonly op: number
  readonly message: ChangeMessage
}

/** The entries one transaction's changes make in a shape. */
const changeEntries = (
  shape: Shape,
  transaction: TellTransaction,
  judge: (literal: string) => Judged,
): Array<Entry> => {
  const told = transaction.changes
    .filter((change) => change.relation === shape.definition.table.oid)
    .flatMap((change) => changeMessages(shape, transaction, change, judge))
  return told.map(({ op, message }, index) => {
    const isLast = index === told.length - 1
    const headers = isLast ? { ...message.headers, last: true } : message.headers
    return { offset: { tx: transaction.lsn, op }, json: JSON.stringify({ ...message, headers }) }
  })
}

const changeMessages = (
  shape: Shape,
  transaction: TellTransaction,
  change: RowChange,
  judge: (literal: string) => Judged,
): ReadonlyArray<Numbered> => {
  const { definition, handle } = shape
  const before = change.oldRow === null ? null : judge(change.oldRow)
  const after = change.newRow === null ? null : judge(change.newRow)
  const headers = (op: number): LogHeaders => ({
    lsn: String(transaction.lsn),
    op_position: op,
    txids: [transaction.txid],
  })
  const op = change.position
  const member = (judged: Judged) => membershipOf(definition, handle, judged.facts)
  if (before?.isHeld === true && after?.isHeld === true) {
    const [was, is] = [keyOf(definition, before.row), keyOf(definition, after.row)]
    if (was !== is) {
      return [
        { op, message: deleteMessage(definition, before.row, member(before), headers(op), is) },
        { op: op + 1, message: insertMessage(definition, after.row, member(after), headers(op + 1), was) },
      ]
    }
    const [old, now] = [member(before), member(after)]
    const memberships = old === null || now === null ? null : { before: old, after: now }
    const message = updateMessage(definition, before.row, after.row, memberships, headers(op))
    return message === null ? [] : [{ op, message }]
  }
  if (before?.isHeld === true)
    return [{ op, message: deleteMessage(definition, before.row, member(before), headers(op)) }]
  if (after?.isHeld === true)
    return [{ op, message: insertMessage(definition, after.row, member(after), headers(op)) }]
  return []
}

/**
 * What the store contract is written with: a small graph with awkward names and types, builders of shares, and comparisons that
 * fail with what was found. Exists so that a case reads as the promise it holds. Used by the contract and by property tests.
 */
import * as Effect from "effect/Effect"
import { Graph } from "../graph/index.ts"
import type {
  InstanceCommit,
  InstanceOutcome,
  LocalStore,
  StoredInstance,
  StoreError,
} from "../ports/LocalStore.ts"
import type { Message, TextRow } from "../protocol/Message.ts"
import type { Instance } from "../protocol/Shape.ts"
import { ContractViolation } from "./shapeSourceContract.ts"

/** A store under test and the ways to look at it from outside. */
export interface LocalStoreHarness {
  /** The store as it is open now. */
  readonly store: () => LocalStore["Service"]
  /** The readable rows of a local table as Postgres text (`::text`), sorted by primary key text. */
  readonly rows: (table: string) => Effect.Effect<ReadonlyArray<TextRow>, unknown>
  /** The process dies and opens the store again. */
  readonly reopen: Effect.Effect<void, unknown>
}

/** A name that any SQL built by hand trips over. */
export const awkwardTable = `Weird "Näme"; drop table items`
export const awkwardColumn = `a "quoted" Column`

/** Tables of the contract. The nodes only make it a graph: the contract makes its instances itself. */
export const contractGraph = Graph.make({
  name: "contract",
  tables: {
    items: {
      columns: {
        id: "int4",
        owner: "text?",
        name: "text?",
        flag: "bool?",
        amount: "numeric?",
        data: "jsonb?",
        raw: "json?",
        list: "text[]?",
        at: "timestamptz?",
      },
      primaryKey: ["id"],
      indexes: [["owner"]],
    },
    pairs: { columns: { flag: "bool", name: "text", note: "text?" }, primaryKey: ["flag", "name"] },
    stamps: {
      columns: { at: "timestamptz", amount: "numeric", note: "text?" },
      primaryKey: ["at", "amount"],
    },
    things: {
      columns: {
        id: "int4",
        small: "int2?",
        large: "int8?",
        real: "float4?",
        double: "float8?",
        amount: "numeric?",
        word: "text?",
        short: "varchar?",
        bytes: "bytea?",
        day: "date?",
        clock: "time?",
        local: "timestamp?",
        at: "timestamptz?",
        span: "interval?",
        uid: "uuid?",
        flag: "bool?",
        doc: "json?",
        docb: "jsonb?",
        words: "text[]?",
        numbers: "int4[]?",
        amounts: "numeric[]?",
        flags: "bool[]?",
        days: "date[]?",
      },
      primaryKey: ["id"],
    },
    [awkwardTable]: {
      from: "odd",
      columns: { [awkwardColumn]: "text", instance: "text", tags: "text?", t: "text?", excluded: "text?" },
      primaryKey: [awkwardColumn, "instance"],
    },
  },
  nodes: {
    items: { table: "items", key: "items" },
    pairs: { table: "pairs", key: "pairs" },
    things: { table: "things", key: "things" },
  },
})

/** An instance of a contract table. */
export const storeInstance = (
  key: string,
  options: {
    readonly table?: string
    readonly tagged?: boolean
    readonly hash?: string
    /** Column and constant of a condition that all of its rows meet. */
    readonly slice?: readonly [column: string, value: string]
  } = {},
): Instance => {
  const [column, value] = options.slice ?? []
  const table = options.table ?? "items"
  return {
    key,
    node: table,
    table,
    bindings: { owner: key },
    clientParams: {},
    definition: {
      table,
      ...(column === undefined ? {} : { where: `"${column}" = $1` }),
      params: value === undefined ? {} : { "1": value },
      columns: [],
      replica: "default",
      log: "full",
    },
    hash: options.hash ?? `hash-${key}`,
    tagged: options.tagged ?? false,
    priority: 0,
  }
}

/** A share; `append`, up to date, handle `h1` and offset `1_0` unless said otherwise. */
export const shareOf = (
  instance: Instance,
  messages: ReadonlyArray<Message>,
  options: {
    readonly mode?: InstanceCommit["mode"]
    readonly handle?: string
    readonly offset?: string
    readonly upToDate?: boolean
  } = {},
): InstanceCommit => ({
  instance,
  messages,
  mode: options.mode ?? "append",
  checkpoint: { handle: options.handle ?? "h1", offset: options.offset ?? "1_0" },
  upToDate: options.upToDate ?? options.mode !== "stage",
})

/** Ways to act on the store and to compare what it shows. */
export interface StoreKit {
  readonly harness: LocalStoreHarness
  /** Commits shares; every one must be accepted. */
  readonly commit: (...shares: ReadonlyArray<InstanceCommit>) => Effect.Effect<void, unknown>
  /** Commits shares and returns their outcomes. */
  readonly outcomes: (
    ...shares: ReadonlyArray<InstanceCommit>
  ) => Effect.Effect<ReadonlyArray<InstanceOutcome>, StoreError>
  /** The readable rows of a table, only the named columns, each row joined by `|`, NULL as `∅`. */
  readonly shows: (
    table: string,
    columns: ReadonlyArray<string>,
    expected: ReadonlyArray<string>,
  ) => Effect.Effect<void, unknown>
  /** Keys an instance holds, joined by `|`. */
  readonly holds: (key: string, expected: ReadonlyArray<string>) => Effect.Effect<void, unknown>
  readonly stored: (key: string) => Effect.Effect<StoredInstance | undefined, StoreError>
}

/** The kit over one harness. */
export const storeKit = (harness: LocalStoreHarness): StoreKit => ({
  harness,
  commit: (...shares) =>
    Effect.flatMap(harness.store().commit(shares), ({ outcomes }) =>
      same(
        "outcomes",
        outcomes.map((outcome) =>
          outcome._tag === "Committed" ? outcome._tag : `${outcome.kind}: ${outcome.message}`,
        ),
        shares.map(() => "Committed"),
      ),
    ),
  outcomes: (...shares) => Effect.map(harness.store().commit(shares), ({ outcomes }) => outcomes),
  shows: (table, columns, expected) =>
    Effect.flatMap(harness.rows(table), (rows) =>
      same(
        `rows of ${table}`,
        rows.map((row) => columns.map((column) => row[column] ?? "∅").join("|")),
        expected,
      ),
    ),
  holds: (key, expected) =>
    Effect.flatMap(harness.store().heldKeys(key), (keys) =>
      same(
        `rows held by ${key}`,
        keys.map((texts) => texts.join("|")),
        expected,
      ),
    ),
  stored: (key) =>
    Effect.map(harness.store().instances, (instances) => instances.find((instance) => instance.key === key)),
})

/** Fails with both values when they differ as JSON. */
export const same = (
  what: string,
  actual: unknown,
  expected: unknown,
): Effect.Effect<void, ContractViolation> => {
  const found = JSON.stringify(actual)
  const wanted = JSON.stringify(expected)
  return found === wanted
    ? Effect.void
    : Effect.fail(new ContractViolation({ message: `${what}: found ${found}, expected ${wanted}` }))
}

/** Names and bodies of cases; each body gets a kit over an empty store. */
export type KitCases = ReadonlyArray<
  readonly [name: string, body: (kit: StoreKit) => Effect.Effect<void, unknown>]
>

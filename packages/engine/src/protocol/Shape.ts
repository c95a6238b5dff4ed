/**
 * What a compiled instance is: its human key, its bindings, the shape definition sent to the server, and the
 * definition hash that is its identity. Types only; `compile.ts` makes them.
 */

/** A shape as the server understands it. Immutable once started. */
export interface ShapeDefinition {
  /** Server table, `name` or `schema.name`, quoted where needed. */
  readonly table: string
  /** SQL boolean expression with `$1…$n`; absent means all rows. */
  readonly where?: string
  /** Values of `$n` as Postgres text, keyed `"1"`, `"2"`, … */
  readonly params: Readonly<Record<string, string>>
  /** Always listed, in declaration order. */
  readonly columns: ReadonlyArray<string>
  readonly replica: "default"
  readonly log: "full"
}

/** Human name of an instance, e.g. `company-7-members`. */
export type InstanceKey = string

/** 32 hex digits: the identity of a compiled definition together with its local table. */
export type DefinitionHash = string

/** Node × binding values = one shape. */
export interface Instance {
  readonly key: InstanceKey
  readonly node: string
  /** Local table its rows go to. */
  readonly table: string
  /** Binding values as Postgres text, by binding name (the bound child column). */
  readonly bindings: Readonly<Record<string, string>>
  /** Values of the client-sourced graph parameters it uses, as Postgres text. */
  readonly clientParams: Readonly<Record<string, string>>
  readonly definition: ShapeDefinition
  readonly hash: DefinitionHash
  /** True when the where-clause holds a subquery, so that its rows carry tags (protocol reference §6). */
  readonly tagged: boolean
  readonly priority: number
}

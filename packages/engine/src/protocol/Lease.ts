/** Demand by a consumer, and the notice a commit sends: plain data shared by engine, worker and composables. */

/** A counted, scoped demand for instances of a node; partial bindings demand all that match. */
export interface Lease {
  readonly node: string
  readonly bindings?: Readonly<Record<string, string>>
}

/** Local tables whose rows changed in one commit. */
export interface CommitNotice {
  readonly tables: ReadonlyArray<string>
}

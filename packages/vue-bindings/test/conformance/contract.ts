/**
 * What every composable that shows live rows promises, as an interface a thin driver implements. The suites in this
 * folder hold a driver to it; a new composable gets a driver, not new tests.
 */
import type { Ref } from "vue"
import type { AwaitableRows } from "../../src/index.ts"

/** A row as the suites see it. */
export interface ShownRow {
  readonly id: string
  readonly name: string
}

export interface Driver {
  readonly name: string
  /** Calls the composable in setup for one company; while that is `undefined` it must ask nothing. */
  readonly use: (company: Ref<string | undefined>) => AwaitableRows<ShownRow>
  /** A row as the database answers this driver's query. */
  readonly encode: (row: ShownRow) => object
  /** The company among the query's parameters, so that the fake can answer by it. */
  readonly companyOf: (params: ReadonlyArray<unknown>) => unknown
  /** Whether the composable demands what it shows. */
  readonly leases: boolean
}

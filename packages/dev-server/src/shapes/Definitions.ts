/**
 * Definitions remembered by request text, so that a poll costs no analysis. The engine forgets them when a table may have
 * changed. Knows nothing of shapes in service.
 */
import type { Database } from "../db/Database.ts"
import { define, type Definition, type DefinitionRequest } from "./Definition.ts"

/** Definitions remembered at most. */
const maxDefinitions = 5_000

/** The definitions of one engine. */
export class Definitions {
  readonly #db: Database
  readonly #byText = new Map<string, Definition>()

  constructor(db: Database) {
    this.#db = db
  }

  /** Analyses a request, or remembers the outcome. @throws DefinitionError */
  async resolve(request: DefinitionRequest): Promise<Definition> {
    const key = JSON.stringify({ ...request, params: [...request.params] })
    const known = this.#byText.get(key)
    if (known !== undefined) return known
    const definition = await this.#db.transaction((sql) => define(sql, request))
    if (this.#byText.size >= maxDefinitions) this.#byText.clear()
    this.#byText.set(key, definition)
    return definition
  }

  /** Forgets everything. */
  clear(): void {
    this.#byText.clear()
  }
}

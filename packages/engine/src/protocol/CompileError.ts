/** The compiler's error, in a file of its own so that every part of the compiler can throw it. Use through `compile.ts`. */

/** Thrown for a node that does not exist, a missing or unknown binding or parameter, or a value of the wrong type. */
export class CompileError extends Error {
  readonly _tag = "CompileError"
  /** Where: `nodes.members.bindings.company_id`, `params.userId`. */
  readonly path: string
  /** @param message what is wrong, and after a semicolon how to fix it */
  constructor(path: string, message: string) {
    super(`${path}: ${message}`)
    this.name = "CompileError"
    this.path = path
  }
}

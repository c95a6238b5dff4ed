/**
 * Stands in for `node:module` in the worker bundle: PGlite's `browser` map covers every other Node module but
 * this one. Throws when called, because a browser never gets there. Used by `bundle.ts` only.
 */
export const createRequire = (): never => {
  throw new Error("node:module is not available in a browser worker")
}

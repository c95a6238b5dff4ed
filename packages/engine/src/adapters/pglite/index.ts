/** Public surface of the PGlite adapter. */
export { PgliteLocalStore } from "./PgliteLocalStore.ts"
export type { PgliteDatabase, PgliteLocalStoreOptions } from "./PgliteLocalStore.ts"

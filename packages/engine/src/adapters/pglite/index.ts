/** Public surface of the PGlite adapter. */
export { databaseSettings } from "./databaseSettings.ts"
export type { DatabaseSettings } from "./databaseSettings.ts"
export { PgliteLocalStore } from "./PgliteLocalStore.ts"
export type { PgliteDatabase, PgliteLocalStoreOptions } from "./PgliteLocalStore.ts"

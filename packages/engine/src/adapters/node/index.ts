/** Public surface of the adapters that need Node. */
export { lockName, openDirectory } from "./openDirectory.ts"

/** Public surface of `@espalier/dev-server`: a development server for tests and demos. */
export { DevServer, DevServerError } from "./DevServer.ts"
export type { DevServerHandle, DevServerOptions, PostgresServerOptions, ServerOptions } from "./DevServer.ts"
export { SqlFailure } from "./db/Database.ts"
export type { StatementResult, Text, TextRow } from "./db/Database.ts"
export { readFault } from "./faults/Fault.ts"
export type { Fault, FaultKind, FaultReading } from "./faults/Fault.ts"
export type { ActiveFault, Faults } from "./faults/Faults.ts"

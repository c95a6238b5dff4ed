/** Public surface of the Electric adapter. */
export * as ElectricShapeSource from "./ElectricShapeSource.ts"
export type { ElectricOptions, RequestHeaders } from "./ElectricShapeSource.ts"
export { ConnectionSlots } from "./ConnectionSlots.ts"
export { classifyAnswer, classifyFailure, parseRetryAfter } from "./classify.ts"
export type { FailedAnswer } from "./classify.ts"
export { shapeUrl } from "./urls.ts"
export type { EndpointKind } from "./urls.ts"

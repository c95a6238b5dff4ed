/** Public surface of the test kit: builders and the contract suites that every implementation of a port runs. */
export { batch, del, insert, moveIn, moveOut, mustRefetch, signal, snapshotEnd, update } from "./messages.ts"
export type { ChangeOptions } from "./messages.ts"
export {
  contractInstance,
  ContractViolation,
  maxPrefetched,
  shapeSourceContract,
} from "./shapeSourceContract.ts"
export type { ContractCase, ShapeSourceHarness } from "./shapeSourceContract.ts"
export { localStoreContract } from "./localStoreContract.ts"
export type { LocalStoreCase } from "./localStoreContract.ts"
export { contractGraph, shareOf, storeInstance } from "./localStoreKit.ts"
export type { LocalStoreHarness } from "./localStoreKit.ts"

/**
 * Public surface of the test kit: worlds to test a graph in, the whole-engine simulation, builders, and the contract suites that every
 * implementation of a port runs. Not for production code; nothing of the engine imports it.
 */
export { batch, del, insert, moveIn, moveOut, mustRefetch, signal, snapshotEnd, update } from "./messages.ts"
export type { ChangeOptions } from "./messages.ts"
export {
  contractInstance,
  ContractViolation,
  maxPrefetched,
  shapeSourceContract,
} from "./shapeSourceContract.ts"
export type { ContractCase, ShapeSourceHarness } from "./shapeSourceContract.ts"
export { shapeServerContract } from "./shapeServerContract.ts"
export type { ShapeServerCase } from "./shapeServerContract.ts"
export { serverContractGraph } from "./shapeServerKit.ts"
export type { ShapeServerHarness } from "./shapeServerKit.ts"
export { localStoreContract } from "./localStoreContract.ts"
export type { LocalStoreCase } from "./localStoreContract.ts"
export { contractGraph, shareOf, storeInstance } from "./localStoreKit.ts"
export type { LocalStoreHarness } from "./localStoreKit.ts"
export {
  defaultWithinMillis,
  expectConverged,
  expectNoLeaks,
  expectRows,
  TestWorld,
  WorldBroken,
} from "./TestWorld.ts"
export type { WorldOptions } from "./TestWorld.ts"
export { openWorld } from "./openWorld.ts"
export type { PromiseWorld } from "./openWorld.ts"
export { testClockTime } from "./simTime.ts"
export type { SimTime } from "./simTime.ts"
export { VirtualTime } from "./virtualTime.ts"
export { forSeeds, seeded } from "./random.ts"
export type { Seeded } from "./random.ts"
export { ModelServer } from "./model/ModelServer.ts"
export type { ModelServerOptions } from "./model/ModelServer.ts"
export { ModelDatabase } from "./model/ModelDatabase.ts"
export type { Transaction, Version, Write } from "./model/ModelDatabase.ts"
export { modelSource } from "./model/ModelSource.ts"
export type { ModelSourceOptions, ShapeEndpoint, SourceObserver } from "./model/ModelSource.ts"
export { Oracle } from "./model/Oracle.ts"
export type { Expected } from "./model/Oracle.ts"
export type { ActiveFault, Fault } from "./model/faults.ts"
export type { Answer, ShapeRequest } from "./model/answers.ts"
export {
  describeFailure,
  everyProfile,
  madeUpParams,
  planOf,
  runOptionsOf,
  simulate,
} from "./sim/simulate.ts"
export type { SimulateOptions } from "./sim/simulate.ts"
export { runPlan } from "./sim/runPlan.ts"
export type { RunOptions, RunOutcome } from "./sim/runPlan.ts"
export { shrink } from "./sim/shrink.ts"
export type { Shrunk } from "./sim/shrink.ts"
export { profileNamed, profiles } from "./sim/profiles.ts"
export type { Profile } from "./sim/profiles.ts"
export { invariants } from "./sim/violations.ts"
export type { InvariantName, Violation } from "./sim/violations.ts"
export type { Plan, SimEvent } from "./sim/events.ts"
export type { SimStore } from "./sim/GuardedStore.ts"
export { memorySimStore } from "./sim/stores.ts"

/**
 * A shape server in memory, as its clients see it: handles, snapshots in chunks, logs that end in the middle of a transaction,
 * long polls, 409s, rotation, subqueries whose move-ins come late, a gateway that denies what the graph does not grant, and
 * every fault of `faults.ts`. The world a simulation runs against. It never looks at its clients' stores.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { GraphData } from "../../graph/Graph.ts"
import type { Instance } from "../../protocol/Shape.ts"
import { Network, type ShapeErrorReason, ShapeRejected, Unauthorised } from "../../protocol/ShapeError.ts"
import { type Seeded, seeded } from "../random.ts"
import { type ActiveFault, type Fault, reasonOf } from "./faults.ts"
import type { Texts } from "./filters.ts"
import { Gateway } from "./Gateway.ts"
import { ModelDatabase, type Transaction, type Write } from "./ModelDatabase.ts"
import type { Oracle } from "./Oracle.ts"
import { type Answer, read, type ShapeRequest } from "./answers.ts"
import type { MovePace } from "./entries.ts"
import { ShapeLog } from "./ShapeLog.ts"

export interface ModelServerOptions {
  readonly graph: GraphData
  /** Parameters of the verified identity and of the client, as Postgres text. */
  readonly params: Texts
  readonly seed?: number
  /** Way to the server and back, shortest and longest. Default none. */
  readonly latencyMillis?: readonly [least: number, most: number]
  /** A long poll is answered empty after this long. Default 20,000. */
  readonly pollMillis?: number
  /** Rows of a snapshot chunk. Default 1,000. */
  readonly snapshotChunk?: number
  /** Messages of a log answer. Default 1,000. */
  readonly logChunk?: number
  /** Longest wait of a move-in's query and of its rows; 0 (default): at once. */
  readonly moveMillis?: number
  /**
   * Whether a gateway stands before the server that grants exactly what the graph demands of the current rows, as of so many
   * milliseconds ago. Default: everything is granted.
   */
  readonly gatewayLagMillis?: number
  /** Share of the transactions whose last change does not say that it is the last one, 0 (default) to 1. */
  readonly missingLast?: number
}

const watchdogMillis = 40_000

interface Shape {
  readonly logs: Array<ShapeLog>
  readonly waiters: Set<() => void>
}

export class ModelServer {
  readonly database: ModelDatabase
  readonly graph: GraphData
  readonly gateway: Gateway
  readonly faults: Array<ActiveFault> = []
  /** Requests that were answered with an error, by kind. */
  readonly struck = new Map<string, number>()
  /** Epoch milliseconds until which nothing answers, and until which tokens count as expired. */
  downUntil = 0
  expiredUntil = 0
  requests = 0
  /** Something was delivered twice. */
  repeated = false
  readonly #options: Required<Omit<ModelServerOptions, "gatewayLagMillis">>
  readonly #random: Seeded
  readonly #shapes = new Map<string, Shape>()
  readonly #handles = new Map<string, ShapeLog>()
  constructor(options: ModelServerOptions) {
    this.graph = options.graph
    this.database = new ModelDatabase(options.graph)
    this.#options = {
      seed: 1,
      latencyMillis: [0, 0],
      pollMillis: 20_000,
      snapshotChunk: 1_000,
      logChunk: 1_000,
      moveMillis: 0,
      missingLast: 0,
      ...options,
    }
    this.#random = seeded(this.#options.seed)
    this.gateway = new Gateway({
      graph: options.graph,
      params: options.params,
      database: this.database,
      lagMillis: options.gatewayLagMillis ?? null,
      random: this.#random,
    })
  }

  /** What its present params make the graph demand. */
  get oracle(): Oracle {
    return this.gateway.oracle
  }

  /** Commits a transaction; every shape's log learns of it and waiting polls wake. */
  commit(writes: ReadonlyArray<Write>, now: number, late = false): Transaction | null {
    const logs = [...this.#shapes.values()].flatMap(({ logs: [...all] }) => all.slice(-1))
    for (const log of logs) log.settle(now)
    const fixes = logs.map((log) => log.prepare())
    const transaction = this.database.commit(writes, late)
    if (transaction === null) return null
    for (const [index, log] of logs.entries()) log.commit(transaction, fixes[index] ?? null, now)
    this.gateway.noteRows(now)
    this.wake()
    return transaction
  }

  /** The handle of every shape of these tables (all without an argument) is void. */
  rotate(tables?: ReadonlyArray<string>): void {
    for (const [name, shape] of this.#shapes) {
      const table = shape.logs.at(-1)?.selection.table.from ?? ""
      if (tables === undefined || tables.includes(table)) this.#renew(name, shape)
    }
    this.wake()
  }

  /**
   * A release changes a table: its handles are void, and until so many milliseconds have passed the gateway is of a newer release than
   * its clients and refuses their definitions (412).
   */
  alter(table: string, now: number, newerMillis: number): void {
    this.gateway.release(table, now + newerMillis)
    this.rotate([table])
  }

  /** The server goes away for a while; subquery shapes do not survive it (protocol reference §4.5). */
  restart(now: number, downMillis: number): void {
    this.downUntil = now + downMillis
    for (const [name, shape] of this.#shapes) {
      if (shape.logs.at(-1)?.selection.inner !== null) this.#renew(name, shape)
    }
    this.wake()
  }

  /** Everything that waits looks again. */
  wake(): void {
    for (const { waiters } of this.#shapes.values()) for (const waiter of [...waiters]) waiter()
  }

  /** The log behind a handle, also a void one. */
  log(handle: string): ShapeLog | null {
    return this.#handles.get(handle) ?? null
  }

  /** Answers one request. Fails as the client's own error would read. */
  readonly request = Effect.fnUntraced({ self: this }, function* (request: ShapeRequest) {
    this.requests++
    const faults = this.#strikes(request.instance, yield* Clock.currentTimeMillis)
    // Slow on the way back: an answer that was true when it left may be old when it comes.
    const isSlowBack = this.#random.chance(0.5)
    yield* this.#travel(isSlowBack ? [] : faults)
    yield* this.#refuse(request.instance, faults, yield* Clock.currentTimeMillis)
    const lost = request.offset !== "-1" && faults.some(({ kind }) => kind === "reset")
    const answer: Answer = lost ? { _tag: "Void", lost } : yield* this.#serve(request, faults)
    yield* this.#travel(isSlowBack ? faults : [])
    if (faults.some(({ kind }) => kind === "cut")) return yield* this.#failWith("cut")
    return answer
  })

  #strikes(instance: Instance, now: number): ReadonlyArray<Fault> {
    return this.faults
      .filter(
        ({ node, share, until }) =>
          until > now && this.#random.chance(share) && (node ?? instance.node) === instance.node,
      )
      .map(({ fault }) => fault)
  }

  #travel(faults: ReadonlyArray<Fault>): Effect.Effect<void> {
    const [least, most] = this.#options.latencyMillis
    let millis = this.#random.between(Math.ceil(least / 2), Math.ceil(most / 2))
    for (const fault of faults) if (fault.kind === "slow") millis += fault.millis
    return millis === 0 ? Effect.void : Effect.sleep(millis)
  }

  #refuse(
    instance: Instance,
    faults: ReadonlyArray<Fault>,
    now: number,
  ): Effect.Effect<void, ShapeErrorReason> {
    if (this.downUntil > now) return this.#fail("down", new Network({ message: "connection refused" }))
    if (this.expiredUntil > now) return this.#fail("expired", new Unauthorised({ message: "token expired" }))
    for (const fault of faults) {
      const reason = fault.kind === "cut" ? null : reasonOf(fault)
      if (reason !== null) return this.#fail(fault.kind, reason)
    }
    if (faults.some(({ kind }) => kind === "hang"))
      return Effect.andThen(
        Effect.sleep(watchdogMillis),
        this.#fail("hang", new Network({ message: "no answer" })),
      )
    const refusal = this.gateway.refusal(instance, now)
    if (refusal !== null) return this.#fail(refusal.kind, refusal.reason)
    return Effect.void
  }

  #serve(request: ShapeRequest, faults: ReadonlyArray<Fault>): Effect.Effect<Answer, ShapeErrorReason> {
    const { instance } = request
    if (this.gateway.selection(instance) === null)
      return this.#fail("unknown", new ShapeRejected({ status: 404, message: `no node ${instance.node}` }))
    const name = `${instance.hash}`
    const shape = this.#shapes.get(name) ?? { logs: [], waiters: new Set() }
    this.#shapes.set(name, shape)
    if (shape.logs.length === 0) this.#open(name, shape, instance)
    if (faults.some(({ kind }) => kind === "conflict") && request.offset !== "-1") this.#renew(name, shape)
    return this.#answer(request, shape, faults)
  }

  readonly #answer = Effect.fnUntraced(
    { self: this },
    function* (request: ShapeRequest, shape: Shape, faults: ReadonlyArray<Fault>) {
      const options = {
        snapshotChunk: this.#options.snapshotChunk,
        logChunk: faults.some(({ kind }) => kind === "tiny") ? 1 : this.#options.logChunk,
        stale: !request.fresh && faults.some(({ kind }) => kind === "stale"),
        repeat: faults.some(({ kind }) => kind === "repeat"),
        random: this.#random,
      }
      this.repeated ||= options.repeat
      const deadline = (yield* Clock.currentTimeMillis) + this.#options.pollMillis
      for (;;) {
        const now = yield* Clock.currentTimeMillis
        if (this.downUntil > now) return yield* this.#failWith("drop")
        const log = shape.logs.at(-1)
        if (log === undefined) return yield* this.#failWith("drop")
        log.settle(now)
        const answer = read(shape.logs, request, options)
        if (!request.live || answer._tag === "Void" || answer.messages.length > 0 || now >= deadline)
          return answer
        yield* waitFor(shape.waiters, Math.min(deadline, log.nextAt ?? deadline) - now)
      }
    },
  )

  #open(name: string, shape: Shape, instance: Instance): void {
    const selection = this.gateway.selection(instance)
    if (selection === null) return
    const { missingLast } = this.#options
    const log = new ShapeLog({
      handle: `${name.slice(0, 6)}-${this.#handles.size + 1}`,
      instance,
      selection,
      database: this.database,
      pace: () => this.#pace(),
      marksLast: () => missingLast === 0 || !this.#random.chance(missingLast),
    })
    shape.logs.push(log)
    this.#handles.set(log.handle, log)
  }

  #renew(name: string, shape: Shape): void {
    const instance = shape.logs.at(-1)?.instance
    if (instance !== undefined) this.#open(name, shape, instance)
  }

  #pace(): MovePace {
    const most = this.#options.moveMillis
    if (most === 0 || this.#random.chance(0.5)) return { eventMillis: 0, rowsMillis: 0, late: false }
    return {
      eventMillis: this.#random.below(most),
      rowsMillis: this.#random.chance(0.5) ? 0 : this.#random.below(most),
      late: this.#random.chance(0.5),
    }
  }

  #strike(kind: string): Effect.Effect<void> {
    return Effect.sync(() => {
      this.struck.set(kind, (this.struck.get(kind) ?? 0) + 1)
    })
  }

  #fail(kind: string, reason: ShapeErrorReason): Effect.Effect<never, ShapeErrorReason> {
    return Effect.andThen(this.#strike(kind), Effect.fail(reason))
  }

  #failWith(kind: "cut" | "drop"): Effect.Effect<never, ShapeErrorReason> {
    return this.#fail(kind, reasonOf({ kind }) ?? new Network({ message: kind }))
  }
}

/** Waits for a wake or for so many milliseconds. */
const waitFor = (waiters: Set<() => void>, millis: number): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const waiter = (): void => {
      waiters.delete(waiter)
      resume(Effect.void)
    }
    waiters.add(waiter)
    return Effect.sync(() => waiters.delete(waiter))
  }).pipe(Effect.timeoutOrElse({ duration: Math.max(1, millis), orElse: () => Effect.void }))

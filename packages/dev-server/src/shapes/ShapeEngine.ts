/**
 * The registry of shapes and the loop that keeps them told. Every change of its memory happens in a job of one serial queue,
 * after the job's transaction has committed. It knows nothing of HTTP; routes ask it for shapes and wait on them.
 */
import type { Table } from "../db/catalog.ts"
import type { StoredShape } from "../store/ShapeStore.ts"
import { define, type Definition, type DefinitionRequest } from "./Definition.ts"
import { drain, type DrainContext, type Drained } from "./drain.ts"
import type { EngineOptions } from "./EngineOptions.ts"
import { make as makeQueue } from "./SerialQueue.ts"
import { type Shape, wake } from "./Shape.ts"
import { ShapeLog } from "./ShapeLog.ts"
import { tablesOf, takeSnapshot, takeUp } from "./snapshot.ts"
import { type SubsetAnswer, type SubsetRequest, subsetRound } from "./subset.ts"

/** Definitions remembered by request text. */
const maxCachedDefinitions = 5_000

/** Taken changes after which the capture tidies up. */
const takenPerTidy = 5_000

/** The shape engine of one server. */
export class ShapeEngine {
  readonly #options: EngineOptions
  readonly #queue = makeQueue()
  readonly #context: DrainContext
  readonly #byHandle = new Map<string, Shape>()
  readonly #byIdentity = new Map<string, Shape>()
  readonly #definitions = new Map<string, Definition>()
  #lastLsn: number
  #lastMarker = 0
  #isDirty = false
  #taken = 0
  #settling: Promise<void> | null = null
  #isClosed = false
  #unlisten: (() => Promise<void>) | null = null

  private constructor(options: EngineOptions) {
    this.#options = options
    this.#context = options
    this.#lastLsn = options.clock.last()
  }

  /** Installs what it needs, takes up what a data directory remembers, and starts to listen. */
  static async start(options: EngineOptions): Promise<ShapeEngine> {
    const { db, capture, store, clock } = options
    const { stored, lsn } = await db.transaction(async (sql) => {
      const position = await capture.install(sql)
      await store.install(sql)
      const loaded = await store.load(sql)
      clock.advanceTo(loaded.lastNumber)
      return { stored: loaded.shapes, lsn: position }
    })
    const engine = new ShapeEngine(options)
    engine.#lastLsn = lsn ?? clock.next()
    // Behind every marker that clients of the last life may come back with.
    for (const [shape, definition] of await takeUp(options, stored)) {
      engine.#mark(engine.#register(shape, definition).log)
    }
    engine.#unlisten = await capture.listen(() => engine.#noticed())
    engine.#isDirty = true
    await engine.settle()
    return engine
  }

  /** LSN of the newest transaction the shapes have been told of. */
  get lastLsn(): number {
    return this.#lastLsn
  }

  /** The highest number given out so far, to transactions or markers. */
  get lastNumber(): number {
    return Math.max(this.#lastLsn, this.#lastMarker)
  }

  /** A number above everything told to a shape and below every transaction to come: their commits lie further apart. */
  #mark(log: ShapeLog): void {
    log.marker = Math.max(this.#lastLsn, log.end.tx) + 1
    this.#lastMarker = Math.max(this.#lastMarker, log.marker)
    this.#options.clock.advanceTo(log.marker)
  }

  /** Prepares a shape for event streams: from here on its log carries a marker. Waits for a round under way. */
  openStream(shape: Shape): Promise<void> {
    return this.#queue.run(() => {
      shape.hasStreams = true
      this.#mark(shape.log)
      return Promise.resolve()
    })
  }

  get shapeCount(): number {
    return this.#byHandle.size
  }

  /** Requests waiting over all shapes. */
  get waiterCount(): number {
    let count = 0
    for (const shape of this.#byHandle.values()) count += shape.waiters.size
    return count
  }

  /** Resolves when everything committed before the call has been told. */
  async settle(): Promise<void> {
    if (!this.#isClosed && (await this.#options.capture.isBehind())) this.#isDirty = true
    while (this.#isDirty && !this.#isClosed) {
      this.#settling ??= this.#round().finally(() => {
        this.#settling = null
      })
      await this.#settling
    }
  }

  /** The shape of a handle in service. */
  find(handle: string): Shape | undefined {
    return this.#byHandle.get(handle)
  }

  /** Analyses a request; remembers the outcome until a table changes. @throws DefinitionError */
  async resolve(request: DefinitionRequest): Promise<Definition> {
    const key = JSON.stringify({ ...request, params: [...request.params] })
    const known = this.#definitions.get(key)
    if (known !== undefined) return known
    const definition = await this.#options.db.transaction((sql) => define(sql, request))
    if (this.#definitions.size >= maxCachedDefinitions) this.#definitions.clear()
    this.#definitions.set(key, definition)
    return definition
  }

  /** The shape in service for a definition, if there is one. */
  existing(definition: Definition): Shape | undefined {
    return this.#byIdentity.get(definition.identity)
  }

  /** The shape of a request, created when there is none. @throws DefinitionError */
  async shapeFor(request: DefinitionRequest): Promise<Shape> {
    const definition = await this.resolve(request)
    const known = this.existing(definition)
    if (known !== undefined) return known
    // Outside the queue: tracking waits for whoever holds a lock on the table, and everybody else must not.
    const tables = tablesOf(definition)
    await this.#options.capture.track(tables)
    return (await this.#queue.run(() => this.#create(request, tables))) ?? this.#createAgain(request)
  }

  /** The tables changed between tracking and snapshot: what was analysed no longer holds. */
  #createAgain(request: DefinitionRequest): Promise<Shape> {
    this.#definitions.clear()
    return this.shapeFor(request)
  }

  /** Reads a subset of a shape as {@link subsetRound} does; `null` where the shape turned out to be void. @throws SubsetError */
  readSubset(shape: Shape, definition: Definition, request: SubsetRequest): Promise<SubsetAnswer | null> {
    return this.#queue.run(async () => {
      const round = { shapes: [...this.#byHandle.values()], shape, definition, request }
      const { drained, subset, error } = await this.#options.db.transaction((sql) =>
        subsetRound(sql, this.#context, round),
      )
      this.#apply(drained)
      if (error !== undefined) throw error
      return subset === undefined ? null : { ...subset, lsn: this.#lastLsn }
    })
  }

  /** Makes a shape's handle void: whoever waits on it is answered. */
  rotate(shape: Shape): Promise<void> {
    return this.#queue.run(async () => {
      if (shape.isVoid) return
      await this.#options.db.transaction((sql) => this.#options.store.drop(sql, [shape.handle]))
      this.#void(shape)
    })
  }

  /** Ends the loop and lets every waiter go. */
  stop(): void {
    this.#isClosed = true
    for (const shape of this.#byHandle.values()) wake(shape)
  }

  /** Stops and waits for what is under way. `remove` takes everything of ours out of the database. */
  async close(remove: boolean): Promise<void> {
    this.stop()
    await this.#unlisten?.()
    this.#unlisten = null
    await this.#queue.run(() => Promise.resolve())
    if (remove) await this.#options.db.transaction((sql) => this.#options.capture.remove(sql))
  }

  #noticed(): void {
    this.#isDirty = true
    this.settle().catch(this.#options.onFailure)
  }

  #round(): Promise<void> {
    return this.#queue.run(async () => {
      this.#isDirty = false
      const shapes = [...this.#byHandle.values()]
      try {
        this.#apply(await this.#options.db.transaction((sql) => drain(sql, this.#context, shapes)))
        await this.#tidy()
      } catch (error) {
        this.#isDirty = true
        throw error
      }
    })
  }

  async #tidy(): Promise<void> {
    if (this.#taken < takenPerTidy || this.#isClosed) return
    this.#taken = 0
    await this.#options.capture.tidy()
  }

  #apply(drained: Drained): void {
    this.#taken += drained.taken
    if (drained.lsn !== null) this.#lastLsn = drained.lsn
    if (drained.schemaChanged) this.#definitions.clear()
    for (const shape of drained.voided) this.#void(shape)
    for (const { shape, told } of drained.told) {
      shape.sets = told.sets
      if (told.entries.length === 0) continue
      shape.log.append(told.entries)
      if (shape.hasStreams) this.#mark(shape.log)
      wake(shape)
    }
  }

  #void(shape: Shape): void {
    shape.isVoid = true
    this.#byHandle.delete(shape.handle)
    if (this.#byIdentity.get(shape.definition.identity) === shape)
      this.#byIdentity.delete(shape.definition.identity)
    wake(shape)
  }

  #register(stored: StoredShape, definition: Definition): Shape {
    const log = new ShapeLog(stored.snapshot, this.#options.chunkBytes)
    log.append(stored.entries)
    const shape: Shape = {
      handle: stored.handle,
      request: stored.request,
      definition,
      log,
      sets: stored.sets,
      waiters: new Set(),
      bornAt: this.lastNumber,
      hasStreams: false,
      isVoid: false,
      lastUsedAt: this.#options.now(),
    }
    this.#byHandle.set(shape.handle, shape)
    this.#byIdentity.set(definition.identity, shape)
    return shape
  }

  /** `null` when the definition has come to name other tables than the tracked ones. */
  async #create(request: DefinitionRequest, tracked: ReadonlyArray<Table>): Promise<Shape | null> {
    const shapes = [...this.#byHandle.values()]
    const created = await this.#options.db.transaction(async (sql) => {
      const fresh = await define(sql, request)
      const names = new Set(tracked.map((table) => table.oid))
      if (!tablesOf(fresh).every((table) => names.has(table.oid))) return null
      const outcome = await drain(sql, this.#context, shapes)
      const isThere = shapes.some(
        (shape) => shape.definition.identity === fresh.identity && !outcome.voided.includes(shape),
      )
      const shape = isThere ? null : await takeSnapshot(sql, this.#options, request, fresh)
      if (shape !== null) await this.#options.store.add(sql, shape)
      await this.#options.store.setLastNumber(sql, this.#options.clock.last())
      return { drained: outcome, stored: shape, definition: fresh }
    })
    if (created === null) return null
    const { drained, stored, definition } = created
    this.#apply(drained)
    const known = this.existing(definition)
    if (known !== undefined || stored === null) return known ?? this.#create(request, tracked)
    const shape = this.#register(stored, definition)
    await this.#evict()
    return shape
  }

  async #evict(): Promise<void> {
    const excess = this.#byHandle.size - this.#options.maxShapes
    if (excess <= 0) return
    const idle = [...this.#byHandle.values()].filter((shape) => shape.waiters.size === 0)
    idle.sort((a, b) => a.lastUsedAt - b.lastUsedAt)
    const leaving = idle.slice(0, excess)
    await this.#options.db.transaction((sql) =>
      this.#options.store.drop(
        sql,
        leaving.map((shape) => shape.handle),
      ),
    )
    for (const shape of leaving) this.#void(shape)
  }
}

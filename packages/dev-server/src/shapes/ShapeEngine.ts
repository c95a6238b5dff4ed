/**
 * The registry of shapes and the loop that keeps them told. Every change of its memory happens in a job of one serial queue,
 * after the job's transaction has committed. It knows nothing of HTTP; routes ask it for shapes and wait on them.
 */
import type { Capture } from "../capture/Capture.ts"
import type { Database } from "../db/Database.ts"
import type { ShapeStore, StoredShape } from "../store/ShapeStore.ts"
import type { Clock } from "./Clock.ts"
import { define, type Definition, type DefinitionRequest } from "./Definition.ts"
import { drain, type DrainContext, type Drained } from "./drain.ts"
import { make as makeQueue } from "./SerialQueue.ts"
import { type Shape, wake } from "./Shape.ts"
import { ShapeLog } from "./ShapeLog.ts"
import { redefineAll, takeSnapshot } from "./snapshot.ts"
import { type SubsetAnswer, type SubsetRequest, subsetRound } from "./subset.ts"

/** What an engine is made of. */
export interface EngineOptions {
  readonly db: Database
  readonly capture: Capture
  readonly store: ShapeStore
  readonly clock: Clock
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Bytes of JSON that close a chunk. */
  readonly chunkBytes: number
  /** Bytes of log beyond which a shape is rotated. */
  readonly maxLogBytes: number
  /** Shapes kept at most; the least recently used one without waiters goes first. */
  readonly maxShapes: number
  /** Called when a round fails for a reason that is nobody's request. */
  readonly onFailure: (error: unknown) => void
}

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
    const stored = await db.transaction(async (sql) => {
      await capture.install(sql)
      await store.install(sql)
      const loaded = await store.load(sql)
      clock.advanceTo(loaded.lastNumber)
      return loaded.shapes
    })
    const engine = new ShapeEngine(options)
    engine.#lastLsn = clock.next()
    await engine.#takeUp(stored)
    engine.#unlisten = await capture.listen(() => engine.#noticed())
    engine.#isDirty = true
    await engine.settle()
    return engine
  }

  /** LSN of the newest transaction the shapes have been told of. */
  get lastLsn(): number {
    return this.#lastLsn
  }

  /** The highest number given out so far, to transactions, handles or markers. */
  get lastNumber(): number {
    return this.#options.clock.last()
  }

  /** Prepares a shape for event streams: from here on its log carries a marker. Waits for a round under way. */
  openStream(shape: Shape): Promise<void> {
    return this.#queue.run(() => {
      shape.hasStreams = true
      shape.log.marker = this.#options.clock.next()
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
    return this.existing(definition) ?? this.#queue.run(() => this.#create(request))
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
      if (shape.hasStreams) shape.log.marker = this.#options.clock.next()
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
      hasStreams: false,
      isVoid: false,
      lastUsedAt: this.#options.now(),
    }
    this.#byHandle.set(shape.handle, shape)
    this.#byIdentity.set(definition.identity, shape)
    return shape
  }

  async #create(request: DefinitionRequest): Promise<Shape> {
    const shapes = [...this.#byHandle.values()]
    const { drained, stored, definition } = await this.#options.db.transaction(async (sql) => {
      const fresh = await define(sql, request)
      for (const table of [fresh.table, ...fresh.innerTables]) await this.#options.capture.track(sql, table)
      const outcome = await drain(sql, this.#context, shapes)
      const isThere = shapes.some(
        (shape) => shape.definition.identity === fresh.identity && !outcome.voided.includes(shape),
      )
      const shape = isThere ? null : await takeSnapshot(sql, this.#options, request, fresh)
      if (shape !== null) await this.#options.store.add(sql, shape)
      await this.#options.store.setLastNumber(sql, this.#options.clock.last())
      return { drained: outcome, stored: shape, definition: fresh }
    })
    this.#apply(drained)
    const known = this.existing(definition)
    if (known !== undefined || stored === null) return known ?? this.#create(request)
    const shape = this.#register(stored, definition)
    await this.#evict()
    return shape
  }

  /** Takes up shapes whose definition still means the same; the others' handles are void. */
  async #takeUp(stored: ReadonlyArray<StoredShape>): Promise<void> {
    await this.#options.db.transaction(async (sql) => {
      const { current, gone } = await redefineAll(sql, stored)
      await this.#options.store.drop(sql, gone)
      for (const [shape, definition] of current) {
        // Behind every marker that clients of the last life may come back with.
        this.#register(shape, definition).log.marker = this.#options.clock.next()
      }
    })
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

/**
 * The registry of shapes and the loop that keeps them told. Every change of its memory happens in a job of one serial queue,
 * after the job's transaction has committed. It knows nothing of HTTP; routes ask it for shapes and wait on them.
 */
import type { Table } from "../db/catalog.ts"
import type { StoredShape } from "../store/ShapeStore.ts"
import type { EngineOptions } from "./EngineOptions.ts"
import type { Definition, DefinitionRequest } from "./Definition.ts"
import { Definitions } from "./Definitions.ts"
import { drain, type Drained } from "./drain.ts"
import { type Background, make as makeBackground } from "./Background.ts"
import { make as makeQueue } from "./SerialQueue.ts"
import { type Shape, wake } from "./Shape.ts"
import type { ShapeLog } from "./ShapeLog.ts"
import { ShapeRegistry } from "./ShapeRegistry.ts"
import { SnapshotChunks } from "./SnapshotChunks.ts"
import { SnapshotFiles } from "./SnapshotFiles.ts"
import { pagesOf, readPages } from "./pages.ts"
import { createRound } from "./create.ts"
import { tablesOf, takeUp } from "./snapshot.ts"
import { type SubsetAnswer, type SubsetRequest, subsetRound } from "./subset.ts"
import { bear } from "./stored.ts"

/** Taken changes after which the capture tidies up. */
const takenPerTidy = 5_000

/** The shape engine of one server. */
export class ShapeEngine {
  readonly #options: EngineOptions
  readonly #queue = makeQueue()
  readonly #files: SnapshotFiles
  readonly #registry = new ShapeRegistry()
  readonly #definitions: Definitions
  #lastLsn: number
  #lastMarker = 0
  #isDirty = false
  #taken = 0
  readonly #background: Background
  #settling: Promise<void> | null = null
  #isClosed = false
  #unlisten: (() => Promise<void>) | null = null

  private constructor(options: EngineOptions) {
    this.#options = options
    this.#definitions = new Definitions(options.db)
    this.#files = new SnapshotFiles(options.snapshotFolder)
    this.#background = makeBackground(options.onFailure)
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
    await engine.#takeUp(stored)
    engine.#unlisten = await capture.listen(() => engine.#noticed())
    engine.#isDirty = true
    await engine.settle()
    return engine
  }

  /** LSN of the newest transaction all shapes have been told of. */
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
    return this.#registry.size
  }

  /** Requests waiting over all shapes. */
  get waiterCount(): number {
    return this.#registry.waiterCount
  }

  /** Resolves when everything committed before the call has been told. */
  async settle(): Promise<void> {
    if (!this.#isClosed && (await this.#options.capture.isBehind())) this.#isDirty = true
    // A round under way may have begun before; the next takes it all. Those who never stop writing hold nobody up.
    for (let round = 0; round < 2; round += 1) {
      if (!this.#isDirty || this.#isClosed) return
      this.#settling ??= this.#round().finally(() => {
        this.#settling = null
      })
      await this.#settling
    }
  }

  /** The shape of a handle in service. */
  find(handle: string): Shape | undefined {
    return this.#registry.find(handle)
  }

  /** Analyses a request; remembers the outcome until a table changes. @throws DefinitionError */
  resolve(request: DefinitionRequest): Promise<Definition> {
    return this.#definitions.resolve(request)
  }

  /** The shape in service for a definition, if there is one. */
  existing(definition: Definition): Shape | undefined {
    return this.#registry.withIdentity(definition.identity)
  }

  /** The shape of a request, created when there is none. @throws DefinitionError */
  async shapeFor(request: DefinitionRequest): Promise<Shape> {
    const definition = await this.resolve(request)
    const known = this.existing(definition)
    if (known !== undefined) return known
    // Outside the queue: tracking waits for whoever holds a lock on the table, and everybody else must not.
    const tables = tablesOf(definition)
    await this.#options.capture.track(tables)
    const shape = await this.#queue.run(() => this.#create(request, tables))
    if (shape !== null) return shape
    // The tables changed between tracking and snapshot: what was analysed no longer holds.
    this.#definitions.clear()
    return this.shapeFor(request)
  }

  /** Reads a subset of a shape as {@link subsetRound} does; `null` where the shape turned out to be void. @throws SubsetError */
  readSubset(shape: Shape, definition: Definition, request: SubsetRequest): Promise<SubsetAnswer | null> {
    return this.#queue.run(async () => {
      const round = { registry: this.#registry, shape, definition, request }
      const { drained, subset, error } = await this.#options.db.transaction((sql) =>
        subsetRound(sql, this.#options, round),
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
    for (const shape of this.#registry.values()) wake(shape)
  }

  /** Stops and waits for what is under way. `remove` takes everything of ours out of the database. */
  async close(remove: boolean): Promise<void> {
    this.stop()
    await this.#unlisten?.()
    this.#unlisten = null
    await this.#queue.run(() => Promise.resolve())
    await this.#background.settled()
    await this.#files.close()
    if (remove) await this.#options.db.transaction((sql) => this.#options.capture.remove(sql))
  }

  #noticed(): void {
    this.#isDirty = true
    this.settle().catch(this.#options.onFailure)
  }

  #round(): Promise<void> {
    return this.#queue.run(async () => {
      this.#isDirty = false
      try {
        this.#apply(await this.#options.db.transaction((sql) => drain(sql, this.#options, this.#registry)))
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
    await this.#evict()
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
    if (shape.isVoid) return
    shape.isVoid = true
    this.#registry.remove(shape)
    wake(shape)
    this.#background.add(() => shape.snapshot.discard())
  }

  #register(
    begun: Pick<Shape, "handle" | "snapshot" | "sets">,
    request: DefinitionRequest,
    definition: Definition,
  ): Shape {
    const { chunkBytes, now } = this.#options
    const shape = bear(
      { ...begun, request, definition, bornAt: this.lastNumber, lastUsedAt: now() },
      chunkBytes,
    )
    this.#registry.add(shape)
    return shape
  }

  /** `null` when the definition has come to name other tables than the tracked ones. */
  async #create(request: DefinitionRequest, tracked: ReadonlyArray<Table>): Promise<Shape | null> {
    const context = { ...this.#options, files: this.#files }
    const created = await this.#options.db.transaction((sql) =>
      createRound(sql, context, this.#registry, { request, tracked }),
    )
    if (created === null) return null
    const { drained, begun, definition } = created
    this.#apply(drained)
    const known = this.existing(definition)
    if (known !== undefined || begun === null) return known ?? this.#create(request, tracked)
    const shape = this.#register(begun, request, definition)
    if (begun.isPaged) this.#background.add(() => this.#build(shape, begun.closing))
    await this.#evict()
    return shape
  }

  async #build(shape: Shape, closing: string): Promise<void> {
    const next = pagesOf(this.#options, this.#registry, shape, closing, (drained) => this.#apply(drained))
    try {
      await readPages(shape, () => (this.#isClosed ? null : this.#queue.run(next)))
    } catch (error) {
      // Whoever reads the snapshot is told to begin again, and the next snapshot names the error if it stays.
      this.#void(shape)
      this.#options.onFailure(error)
    }
  }

  /** Takes up what a data directory remembers. */
  async #takeUp(stored: ReadonlyArray<StoredShape>): Promise<void> {
    for (const [shape, definition] of await takeUp({ ...this.#options, files: this.#files }, stored)) {
      const { handle, request, sets, entries } = shape
      const files = this.#files.of(handle)
      const snapshot = SnapshotChunks.restore(shape.snapshot, this.#options.chunkBytes, files)
      const { log } = this.#register({ handle, snapshot, sets }, request, definition)
      log.append(entries)
      // Behind every marker that clients of the last life may come back with.
      this.#mark(log)
    }
    await this.#files.retain(new Set([...this.#registry.values()].map((shape) => shape.handle)))
  }

  async #evict(): Promise<void> {
    const { db, maxMemoryBytes, maxShapes, store } = this.#options
    const leaving = this.#registry.excess(maxShapes, maxMemoryBytes)
    if (leaving.length === 0) return
    const handles = leaving.map((shape) => shape.handle)
    await db.transaction((sql) => store.drop(sql, handles))
    for (const shape of leaving) this.#void(shape)
  }
}

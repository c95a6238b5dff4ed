/**
 * Stands between PGliteWorker and the real worker and holds back the worker's "ready" until the gate is
 * opened. PGliteWorker polls the leader every 16 ms from "ready" on and has no way to stop: behind the gate
 * it starts to do so when the database is open, and never when the start failed. "leader-now" is dropped
 * while the gate is shut, because arriving during PGliteWorker's own start it would reject that start's first
 * query. Used by `EngineClient` only.
 */
const messageType = (data: unknown): unknown =>
  typeof data === "object" && data !== null && "type" in data ? data.type : undefined

export class WorkerGate extends EventTarget implements Worker {
  onmessage: Worker["onmessage"] = null
  onmessageerror: Worker["onmessageerror"] = null
  onerror: Worker["onerror"] = null
  readonly #worker: Worker
  #isOpen = false
  #heldReady: unknown = null

  constructor(worker: Worker) {
    super()
    this.#worker = worker
    worker.addEventListener("message", (event: MessageEvent<unknown>) => this.#forward(event.data))
  }

  /** Lets PGliteWorker go on. Calling it again does nothing. */
  open(): void {
    if (this.#isOpen) return
    this.#isOpen = true
    if (this.#heldReady !== null) this.#deliver(this.#heldReady)
    this.#heldReady = null
  }

  postMessage(message: unknown, options?: StructuredSerializeOptions | Transferable[]): void {
    if (Array.isArray(options)) this.#worker.postMessage(message, options)
    else this.#worker.postMessage(message, options)
  }

  terminate(): void {
    this.#worker.terminate()
  }

  #forward(data: unknown): void {
    const type = messageType(data)
    if (!this.#isOpen && type === "ready") this.#heldReady = data
    else if (this.#isOpen || type !== "leader-now") this.#deliver(data)
  }

  #deliver(data: unknown): void {
    this.dispatchEvent(new MessageEvent("message", { data }))
  }
}

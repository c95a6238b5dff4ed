/**
 * A set of listeners that may come and go while one of them runs. One throwing listener does not silence the
 * others.
 */
export class Listeners<Value> {
  readonly #listeners = new Set<(value: Value) => void>()

  /** Returns the function that removes the listener; calling it twice is harmless. */
  add(listener: (value: Value) => void): () => void {
    const entry = (value: Value): void => listener(value)
    this.#listeners.add(entry)
    return () => this.#listeners.delete(entry)
  }

  emit(value: Value): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(value)
      } catch (error) {
        reportError(error)
      }
    }
  }

  clear(): void {
    this.#listeners.clear()
  }
}

/** Listeners of a value that is remembered, too: `null` until there was one. */
export class Latest<Value> extends Listeners<Value> {
  #value: Value | null = null

  get value(): Value | null {
    return this.#value
  }

  override emit(value: Value): void {
    this.#value = value
    super.emit(value)
  }
}

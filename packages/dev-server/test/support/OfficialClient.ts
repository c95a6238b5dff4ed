/** Runs the official client on one shape and keeps a {@link Replica} of what it delivers. */
import { ShapeStream, type ShapeStreamOptions } from "@electric-sql/client"
import { type Message, Replica } from "./Replica.ts"

/** Parsers that leave every value as Postgres text, as the engine runs the client. */
const textParsers = Object.fromEntries(
  ["int2", "int4", "int8", "float4", "float8", "bool", "json", "jsonb"].map((type) => [
    type,
    (value: string) => value,
  ]),
)

/** A followed shape. */
export class OfficialClient {
  readonly replica = new Replica()
  readonly messages: Array<Message> = []
  readonly errors: Array<unknown> = []
  readonly stream: ShapeStream
  readonly #abort = new AbortController()
  readonly #watchers = new Set<() => void>()
  mustRefetches = 0

  constructor(url: string, params: Record<string, unknown>, options: Partial<ShapeStreamOptions> = {}) {
    this.stream = new ShapeStream({
      url: `${url}/v1/shape`,
      params: params as NonNullable<ShapeStreamOptions["params"]>,
      parser: textParsers,
      signal: this.#abort.signal,
      warnOnHttp: false,
      onError: (error) => {
        this.errors.push(error)
      },
      ...options,
    })
    this.stream.subscribe((batch) => {
      for (const message of batch as unknown as ReadonlyArray<Message>) {
        this.messages.push(message)
        if (message.headers.control === "must-refetch") {
          this.mustRefetches += 1
          this.replica.clear()
        } else this.replica.apply(message)
      }
      for (const watcher of [...this.#watchers]) watcher()
    })
  }

  /** Resolves when `isTrue`; looks again after every batch. Rejects after `timeoutMillis`. */
  until(what: string, isTrue: () => boolean, timeoutMillis = 10_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#watchers.delete(look)
        const held = JSON.stringify(this.replica.values)
        reject(new Error(`never: ${what}; held ${held}; errors ${this.errors.map(String).join(", ")}`))
      }, timeoutMillis)
      const look = (): void => {
        if (!isTrue()) return
        clearTimeout(timer)
        this.#watchers.delete(look)
        resolve()
      }
      this.#watchers.add(look)
      look()
    })
  }

  /** Resolves when exactly the rows with these ids are held. */
  untilIds(...ids: ReadonlyArray<string>): Promise<void> {
    const wanted = [...ids].sort().join()
    return this.until(`the rows ${wanted}`, () => this.stream.isUpToDate && this.ids.join() === wanted)
  }

  get ids(): ReadonlyArray<string> {
    return this.replica.values.map((row) => String(row["id"])).sort()
  }

  close(): void {
    this.#abort.abort()
  }
}

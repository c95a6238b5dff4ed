/** Items 28, 38, 39, 51, 56: void handles while waiting, the life of event streams, 503 on the way, and restarts. */
import assert from "node:assert/strict"
import { createServer, request } from "node:http"
import type { AddressInfo } from "node:net"
import { ShapeStream } from "@electric-sql/client"
import { type Case, test } from "../Case.ts"
import { type Answer, type Context, header, type Message, type Position, sortedIds } from "../Context.ts"

const mustRefetch = [{ headers: { control: "must-refetch" } }]

/** Long enough for a request to be waiting at the server, short against its timeout. */
const settleMillis = 250

const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

/** An open event stream. */
class EventStream {
  readonly messages: Array<Message> = []
  /** Everything that came, comments included. */
  received = ""
  readonly #abort = new AbortController()
  #isOpen = true
  #heard: () => void = () => undefined
  readonly #openedAt = performance.now()
  /** Milliseconds the stream was open, once it has ended. */
  lifeMillis: number | null = null

  static async open(context: Context, from: Position, offset = from.offset): Promise<EventStream> {
    const stream = new EventStream()
    const more = { handle: from.handle, offset, live: "true", live_sse: "true" }
    const search = new URLSearchParams({ ...from.query, ...more })
    const response = await fetch(`${context.servers.main}/v1/shape?${search}`, {
      signal: stream.#abort.signal,
    })
    assert.equal(response.status, 200)
    void stream.#read(response.body ?? assert.fail("no body"))
    return stream
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder()
    let text = ""
    try {
      for await (const bytes of body) {
        const piece = decoder.decode(bytes, { stream: true })
        this.received += piece
        text += piece
        const frames = text.split("\n\n")
        text = frames.pop() ?? ""
        for (const frame of frames) {
          if (frame.startsWith("data: ")) this.messages.push(JSON.parse(frame.slice(6)) as Message)
        }
        this.#heard()
      }
    } catch {
      // The case itself hung up.
    }
    this.#isOpen = false
    this.lifeMillis = performance.now() - this.#openedAt
    this.#heard()
  }

  /** Waits until `isDone` or the end of the stream, at most `millis`. */
  async until(isDone: (stream: EventStream) => boolean, millis: number): Promise<void> {
    const end = performance.now() + millis
    while (this.#isOpen && !isDone(this) && performance.now() < end) {
      await Promise.race([new Promise<void>((resolve) => (this.#heard = resolve)), pause(50)])
    }
  }

  close(): void {
    this.#abort.abort()
  }
}

const isUpToDate = (stream: EventStream): boolean =>
  stream.messages.at(-1)?.headers["control"] === "up-to-date"

/** The first answer to a waiting request whose shape was made void while it waited. */
const voidWhileWaiting = async (c: Context, statement: (table: string) => string): Promise<Answer> => {
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const table = await c.items()
    const waiting = c.live(await c.follow({ table }))
    await pause(settleMillis)
    await c.sql(statement(table))
    const answer = await waiting
    // A request that came after the statement is told the new handle; this case is about one that came before.
    if (answer.status === 409 && header(answer, "electric-handle") === null) return answer
  }
  return assert.fail("no waiting request was answered with a 409 without a handle")
}

/** Passes requests on, but answers the first `refusals` of them with 503. */
const refusing = async (target: string, refusals: number) => {
  const times: Array<number> = []
  const { hostname, port } = new URL(target)
  const server = createServer((incoming, outgoing) => {
    times.push(performance.now())
    if (times.length <= refusals) {
      outgoing.writeHead(503, { "retry-after": "1" }).end('{"message":"not now"}')
      return
    }
    const { method, url, headers } = incoming
    const passed = request({ hostname, port, method, path: url, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    })
    passed.on("error", () => outgoing.destroy())
    outgoing.on("close", () => passed.destroy())
    incoming.pipe(passed)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    times,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

export const cases: ReadonlyArray<Case> = [
  test(
    28,
    "no-handle",
    "answers a waiting request whose shape became void with a 409 nobody may keep",
    async (c) => {
      const answer = await voidWhileWaiting(c, (table) => `truncate ${table}`)
      assert.deepEqual(answer.body, mustRefetch)
      assert.equal(header(answer, "cache-control"), "public, max-age=1, must-revalidate")
      assert.equal(header(answer, "etag"), null)
    },
  ),
  test(
    38,
    "idle",
    "keeps an idle event stream open for more than a second, and sends nothing in it",
    async (c) => {
      const stream = await EventStream.open(c, await c.follow({ table: await c.items() }))
      await stream.until(() => false, 1_300)
      assert.deepEqual([stream.lifeMillis, stream.received], [null, ""])
      stream.close()
    },
  ),
  test(
    38,
    "rounded",
    "keeps the stream of a client open that kept only the number of an up-to-date",
    async (c) => {
      const table = await c.items()
      const position = await c.follow({ table })
      const first = await EventStream.open(c, position)
      await c.sql(`insert into ${table} values (7, 'a', 1), (8, 'b', 2), (9, 'c', 3)`)
      await first.until(isUpToDate, 10_000)
      first.close()
      assert.deepEqual(sortedIds(first.messages), ["7", "8", "9"])
      const lsn = String(first.messages.at(-1)?.headers["global_last_seen_lsn"])
      const second = await EventStream.open(c, position, `${lsn}_0`)
      await second.until(() => false, 1_300)
      assert.deepEqual([second.lifeMillis, second.messages], [null, []])
      await c.sql(`insert into ${table} values (10, 'd', 4)`)
      await second.until(isUpToDate, 10_000)
      second.close()
      assert.deepEqual(sortedIds(second.messages), ["10"])
    },
  ),
  test(
    39,
    "rotation",
    "ends an event stream whose shape became void; the next request is a 409",
    async (c) => {
      const table = await c.items()
      const position = await c.follow({ table })
      const stream = await EventStream.open(c, position)
      await pause(settleMillis)
      await c.sql(`truncate ${table}`)
      await stream.until(() => false, 10_000)
      assert.notEqual(stream.lifeMillis, null)
      assert.deepEqual(
        stream.messages.filter((message) => message.key !== undefined),
        [],
      )
      const { query, handle, offset } = position
      const next = await c.get({ ...query, handle, offset })
      assert.deepEqual([next.status, next.body], [409, mustRefetch])
    },
  ),
  test(51, "retry", "serves the official client that was told to come back after a second", async (c) => {
    const table = await c.items()
    const proxy = await refusing(c.servers.main, 1)
    const abort = new AbortController()
    const errors: Array<unknown> = []
    const stream = new ShapeStream({
      url: `${proxy.url}/v1/shape`,
      params: { table },
      signal: abort.signal,
      onError: (error) => void errors.push(error),
    })
    const rows = await new Promise<number>((resolve) => {
      let count = 0
      stream.subscribe((messages) => {
        count += messages.filter((message) => "key" in message).length
        if (stream.isUpToDate) resolve(count)
      })
    })
    abort.abort()
    proxy.close()
    assert.deepEqual([rows, errors], [3, []])
    const [refused = 0, served = 0] = proxy.times
    assert.ok(served - refused >= 1_000, `came back after ${served - refused} ms`)
  }),
  ...["TRUE", "n IN (SELECT n FROM T WHERE id > 1)"].map((where, index): Case => ({
    ...test(56, `restart-${index}`, `continues or says must-refetch after a restart: ${where}`, async (c) => {
      const table = await c.items()
      const restartable = c.servers.restartable ?? assert.fail()
      const query = { table, where: where.replaceAll(/\bT\b/gu, table) }
      await restartable.use(async (server) => {
        const before = await c.follow(query, server.url())
        await server.restart(async () => {
          await c.sql(`insert into ${table} values (7, 'seven', 70), (8, 'eight', 10)`)
          await c.sql(`update ${table} set n = 31 where id = 3`)
          await c.sql(`delete from ${table} where id = 2`)
        })
        const { handle, offset } = before
        const answer = await c.get({ ...query, handle, offset }, {}, server.url())
        const isVoid = answer.status === 409
        const after = isVoid ? await c.follow(query, server.url()) : await c.catchUp(before, server.url())
        const expected = (await c.follow({ ...query, log: "full", replica: "full" }, server.url())).messages
        const held = isVoid ? after.messages : replay(after.messages)
        assert.deepEqual(sortedIds(held), sortedIds(replay(expected)))
      })
    }),
    needs: "restart",
  })),
]

/** Rows that are left after the changes of a log, moves of whole tags included. */
const replay = (messages: ReadonlyArray<Message>): ReadonlyArray<Message> => {
  const rows = new Map<string, Message>()
  for (const message of messages) {
    const patterns = message.headers["event"] === "move-out" ? message.headers["patterns"] : undefined
    if (patterns !== undefined) {
      const gone = new Set((patterns as ReadonlyArray<{ readonly value: string }>).map(({ value }) => value))
      for (const [key, row] of rows) {
        const tags = (row.headers["tags"] ?? []) as ReadonlyArray<string>
        if (tags.some((tag) => gone.has(tag))) rows.delete(key)
      }
    }
    if (message.key === undefined) continue
    if (message.headers["operation"] === "delete") rows.delete(message.key)
    else {
      const known = rows.get(message.key)
      rows.set(message.key, { ...message, value: { ...known?.value, ...message.value } })
    }
  }
  return [...rows.values()]
}

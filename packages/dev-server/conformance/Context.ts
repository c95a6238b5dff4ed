/**
 * What a conformance case works with: requests to the server under test, statements in its database, tables of its own.
 * Knows no server from the inside; everything goes over HTTP and SQL, so the same cases run against any implementation.
 */
import assert from "node:assert/strict"

/** Runs statements in one transaction. */
export type RunSql = (...statements: ReadonlyArray<string>) => Promise<void>

/** Where the servers under test are. Profiles that are not there skip their cases. */
export interface Servers {
  readonly main: string
  /** A server that asks for {@link Servers.secretValue}. */
  readonly secret: string | null
  readonly secretValue: string
  /** A server whose chunks close at about 1,000 bytes. */
  readonly chunk: string | null
  /** Whether the main server allows DELETE. */
  readonly allowsDelete: boolean
  /** A server that keeps its shapes and can be stopped and started. */
  readonly restartable: Restartable | null
}

/** Lends its server to one case at a time. */
export interface Restartable {
  readonly use: (body: (server: RestartableServer) => Promise<void>) => Promise<void>
}

/** A server that keeps its shapes. */
export interface RestartableServer {
  readonly url: () => string
  /** Stops it, runs `whileDown`, and starts it again. Its address may be another one then. */
  readonly restart: (whileDown: () => Promise<void>) => Promise<void>
}

export type Query = Readonly<Record<string, string>>

/** One answer, read to its end. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly body: unknown
}

/** A message of a shape log. */
export interface Message {
  readonly key?: string
  readonly value?: Readonly<Record<string, string | null>>
  readonly old_value?: Readonly<Record<string, string | null>>
  readonly headers: Readonly<Record<string, unknown>>
}

/** Where a reader of a shape stands. */
export interface Position {
  readonly query: Query
  readonly handle: string
  readonly offset: string
  readonly messages: ReadonlyArray<Message>
  readonly answers: ReadonlyArray<Answer>
}

/** How long a case waits for a change to arrive before it fails. */
const patienceMillis = 15_000

export const header = (answer: Answer, name: string): string | null => answer.headers.get(name)

export const messagesOf = (answer: Answer): ReadonlyArray<Message> => {
  assert.ok(Array.isArray(answer.body), `a log is an array, not ${answer.text.slice(0, 200)}`)
  return answer.body as ReadonlyArray<Message>
}

export const changesOf = (messages: ReadonlyArray<Message>): ReadonlyArray<Message> =>
  messages.filter((message) => message.key !== undefined)

/** The tags of a row of a subquery shape. */
export const tagsOf = (message: Message | undefined): ReadonlyArray<string> => {
  const tags = message?.headers["tags"]
  assert.ok(Array.isArray(tags), "the row has no tags")
  return tags as ReadonlyArray<string>
}

/** The ids of rows, in the order of their texts. */
export const sortedIds = (messages: ReadonlyArray<Message>): ReadonlyArray<string> =>
  changesOf(messages)
    .map((message) => String(message.value?.["id"]))
    .toSorted((a, b) => a.localeCompare(b))

export const errorsOf = (answer: Answer): Readonly<Record<string, unknown>> => {
  assert.equal(answer.status, 400, answer.text)
  return (answer.body as { readonly errors: Readonly<Record<string, unknown>> }).errors
}

/** The tools of one case. */
export class Context {
  readonly servers: Servers
  readonly sql: RunSql
  readonly #prefix: string
  readonly #cleanup: Array<string> = []
  #tables = 0

  constructor(servers: Servers, sql: RunSql, prefix: string) {
    this.servers = servers
    this.sql = sql
    this.#prefix = prefix
  }

  /** Makes a table of the case's own, with rows; answers its name. */
  async table(columns: string, ...rows: ReadonlyArray<string>): Promise<string> {
    const name = this.name()
    this.#cleanup.push(`drop table if exists ${name} cascade`)
    await this.sql(
      `create table ${name} (${columns})`,
      ...(rows.length === 0 ? [] : [`insert into ${name} values ${rows.join(", ")}`]),
    )
    return name
  }

  /** A table with an id, a text and a number, and three rows. */
  items(): Promise<string> {
    const rows = ["(1, 'one', 10)", "(2, 'two', null)", "(3, 'three', 30)"]
    return this.table("id int primary key, title text, n int", ...rows)
  }

  /** A name nothing else has. `undo` is run at the end. */
  name(undo?: (name: string) => string): string {
    this.#tables += 1
    const name = `${this.#prefix}_${this.#tables}`
    if (undo !== undefined) this.#cleanup.push(undo(name))
    return name
  }

  async cleanUp(): Promise<void> {
    for (const statement of this.#cleanup.toReversed()) await this.sql(statement)
  }

  /** Any request. */
  async send(path: string, init: RequestInit = {}, server = this.servers.main): Promise<Answer> {
    const response = await fetch(server + path, init)
    const text = await response.text()
    const isJson = response.headers.get("content-type")?.includes("json") === true && text !== ""
    const body: unknown = isJson ? JSON.parse(text) : null
    return { status: response.status, headers: response.headers, text, body }
  }

  /** `GET /v1/shape`. */
  get(query: Query | string, init: RequestInit = {}, server = this.servers.main): Promise<Answer> {
    const search = typeof query === "string" ? query : new URLSearchParams(query).toString()
    return this.send(`/v1/shape?${search}`, init, server)
  }

  /** `POST /v1/shape`. */
  post(query: Query, body: unknown): Promise<Answer> {
    return this.get(query, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: typeof body === "string" ? body : JSON.stringify(body),
    })
  }

  /** Reads a shape from its start until it is up to date. */
  async follow(query: Query, server = this.servers.main): Promise<Position> {
    const first = await this.get({ ...query, offset: "-1" }, {}, server)
    assert.equal(first.status, 200, first.text)
    return this.catchUp(at(query, first, []), server)
  }

  /** Reads on from a position until it is up to date. */
  async catchUp(from: Position, server = this.servers.main): Promise<Position> {
    let position = from
    for (let n = 0; n < 500; n += 1) {
      const { handle, offset } = position
      const answer = await this.get({ ...from.query, handle, offset }, {}, server)
      assert.equal(answer.status, 200, answer.text)
      position = at(from.query, answer, position.answers)
      if (header(answer, "electric-up-to-date") !== null) return position
    }
    return assert.fail("500 answers without an up-to-date")
  }

  /** One live request at a position. */
  live(position: Position, more: Query = {}, init: RequestInit = {}): Promise<Answer> {
    const { query, handle, offset } = position
    return this.get({ ...query, handle, offset, live: "true", ...more }, init)
  }

  /** Reads live from a position until `count` changes, or what `isEnough` says, have arrived; answers only what is new. */
  async changes(
    position: Position,
    isEnough: number | ((messages: ReadonlyArray<Message>) => boolean),
  ): Promise<Position> {
    const until = performance.now() + patienceMillis
    let now: Position = { ...position, messages: [], answers: [] }
    const test =
      typeof isEnough === "number"
        ? (messages: ReadonlyArray<Message>) => changesOf(messages).length >= isEnough
        : isEnough
    while (!test(now.messages)) {
      assert.ok(performance.now() < until, `nothing more came after ${JSON.stringify(now.messages)}`)
      const answer = await this.live(now)
      assert.equal(answer.status, 200, answer.text)
      now = at(position.query, answer, now.answers)
    }
    return now
  }

  /** Follows a shape, runs statements in one transaction, and answers the changes they made. */
  async changesAfter(
    query: Query,
    statements: ReadonlyArray<string>,
    isEnough: Parameters<Context["changes"]>[1],
  ): Promise<ReadonlyArray<Message>> {
    const position = await this.follow(query)
    await this.sql(...statements)
    return changesOf((await this.changes(position, isEnough)).messages)
  }
}

const at = (query: Query, answer: Answer, before: ReadonlyArray<Answer>): Position => {
  const answers = [...before, answer]
  return {
    query,
    answers,
    handle: header(answer, "electric-handle") ?? assert.fail("no electric-handle"),
    offset: header(answer, "electric-offset") ?? assert.fail("no electric-offset"),
    messages: answers.flatMap(messagesOf),
  }
}

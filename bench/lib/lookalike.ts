/**
 * A shape server in small: snapshots from memory in chunks, an up-to-date, and long polls that hang. Runs in a worker thread, so that
 * its work is not the client's. It checks nothing and changes nothing; it exists to feed peers and us the same bytes.
 */
import { createServer } from "node:http"
import { once } from "node:events"
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads"
import { companyOf, snapshotEndAt, snapshotOf, wideColumns, wideRows } from "./wideRows.ts"

/** What is served: `count` shapes of `rowsPerShape` rows, told apart by their where-clause's `$1`: their company, or `shape-0`, … */
export interface Served {
  readonly shapes: number
  readonly rowsPerShape: number
  readonly rowsPerChunk: number
}

export interface Lookalike {
  /** The shape endpoint. */
  readonly url: string
  readonly stop: () => Promise<void>
}

/** Starts a server on a free port of 127.0.0.1. */
export const startLookalike = async (served: Served): Promise<Lookalike> => {
  const worker = new Worker(new URL(import.meta.url), { workerData: served })
  const [port] = (await once(worker, "message")) as [number]
  return {
    url: `http://127.0.0.1:${port}/v1/shape`,
    stop: async () => {
      await worker.terminate()
    },
  }
}

const schema = JSON.stringify(
  Object.fromEntries(
    Object.entries(wideColumns).map(([column, type], index) => [
      column,
      index === 0 ? { type, pk_position: 0, not_null: true } : { type },
    ]),
  ),
)

const upToDate = JSON.stringify([{ headers: { control: "up-to-date", global_last_seen_lsn: "1" } }])

/** Bodies of one shape; the last chunk ends with the snapshot-end. */
const bodiesOf = (served: Served, shape: number): ReadonlyArray<Buffer> => {
  const messages = snapshotOf(wideRows(served.rowsPerShape, shape))
  const bodies: Array<Buffer> = []
  for (let first = 0; first < messages.length; first += served.rowsPerChunk) {
    const chunk = messages.slice(first, first + served.rowsPerChunk)
    const last = first + served.rowsPerChunk >= messages.length
    bodies.push(Buffer.from(JSON.stringify(last ? [...chunk, snapshotEndAt(100)] : chunk)))
  }
  return bodies
}

const serve = async (served: Served): Promise<void> => {
  const logs = Array.from({ length: served.shapes }, (_, shape) => bodiesOf(served, shape))
  const shapeByCompany = new Map(logs.map((_, shape) => [companyOf(shape), shape]))
  let cursor = 1
  const server = createServer((request, response) => {
    const query = new URL(request.url ?? "/", "http://localhost").searchParams
    const wanted = query.get("params[1]") ?? "shape-0"
    const shape = shapeByCompany.get(wanted) ?? Number(/^shape-(\d+)$/.exec(wanted)?.[1] ?? 0)
    const log = logs[shape] ?? []
    const offset = query.get("offset") ?? "-1"
    cursor += 1
    const headers = {
      "content-type": "application/json",
      "electric-handle": `h-${shape}`,
      "electric-schema": schema,
      "electric-cursor": String(cursor),
      "cache-control": "no-store",
    }
    if (query.get("live") === "true") return
    const index = offset === "-1" ? 0 : Number(offset.split("_")[1]) + 1
    const body = log[index]
    if (body !== undefined) {
      response.writeHead(200, { ...headers, "electric-offset": `0_${index}`, "content-length": body.length })
      response.end(body)
      return
    }
    response.writeHead(200, { ...headers, "electric-offset": `0_${log.length}`, "electric-up-to-date": "" })
    response.end(upToDate)
  })
  // A connection that is idle between two rounds must not be closed while the next request is on its way.
  server.keepAliveTimeout = 600_000
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  parentPort?.postMessage(typeof address === "object" ? address?.port : undefined)
}

if (!isMainThread) await serve(workerData as Served)

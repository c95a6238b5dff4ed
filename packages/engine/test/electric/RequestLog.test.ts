/** What a panel may know of the engine's requests: when, for whom and what came of it; never a secret. */
import { Cause, Exit } from "effect"
import { describe, expect, it } from "vitest"
import { noteEnd, RequestLog, shownUrl } from "../../src/adapters/electric/RequestLog.ts"
import { slotCut } from "../../src/adapters/electric/ConnectionSlots.ts"
import { Network } from "../../src/protocol/ShapeError.ts"

const url = (query: string): URL => new URL(`https://user:pass@app.test/v1/shape?${query}`)

describe("RequestLog", () => {
  it("tells the first request from catching up and from waiting for news", () => {
    const log = new RequestLog(10)
    log.open("a", url("node=a&offset=-1"), 1)
    log.open("a", url("node=a&offset=5_0&handle=h"), 2)
    log.open("a", url("node=a&offset=5_0&handle=h&live=true"), 3)
    expect(log.entries().map(({ phase }) => phase)).toEqual(["initial", "catch-up", "live"])
  })

  it("shows of an address only what is known to be harmless", () => {
    expect(shownUrl(url("node=a&b.id=7&p.chosen=1&def=d&offset=-1&secret=s3&api_secret=t&token=u&x=v"))).toBe(
      "https://app.test/v1/shape?node=a&b.id=7&p.chosen=1&def=d&offset=-1",
    )
    expect(shownUrl(url("table=t&where=id+%3D+%241&params%5B1%5D=7&columns=id"))).toContain(
      "where=id+%3D+%241",
    )
  })

  it("notes headers, bytes and each way a request may end", () => {
    const log = new RequestLog(10)
    const [good, cut, gone, lost] = ["a", "b", "c", "d"].map((key) => log.open(key, url("offset=-1"), 1))
    log.open("e", url("offset=-1"), 1)
    good?.headers(200, 5)
    noteEnd(good!, Exit.succeed({ body: new Uint8Array(12) }), 9)
    noteEnd(cut!, Exit.fail(slotCut), 9)
    noteEnd(gone!, Exit.failCause(Cause.interrupt()), 9)
    noteEnd(lost!, Exit.fail(new Network({ message: "connection refused" })), 9)
    expect(log.entries().map((entry) => [entry.outcome, entry.status, entry.bytes, entry.endedAt])).toEqual([
      ["answered", 200, 12, 9],
      ["cut", null, 0, 9],
      ["aborted", null, 0, 9],
      ["failed", null, 0, 9],
      ["open", null, 0, null],
    ])
    expect(log.entries()[0]).toMatchObject({ startedAt: 1, headersAt: 5, failure: null })
    expect(log.entries()[3]?.failure).toContain("connection refused")
  })

  it("keeps the newest, and never writes an old note into a newer entry", () => {
    const log = new RequestLog(2)
    const first = log.open("a", url("offset=-1"), 1)
    log.open("b", url("offset=-1"), 2)
    log.open("c", url("offset=-1"), 3)
    first.end({ outcome: "answered", at: 4, bytes: 9 })
    expect(log.entries().map(({ key, outcome }) => [key, outcome])).toEqual([
      ["b", "open"],
      ["c", "open"],
    ])
  })
})

/** Bodies are read without touching a value; anything the protocol does not allow is named. */
import { describe, expect, it } from "vitest"
import { decodeBody, isRegression } from "../../src/adapters/electric/wire.ts"
import { insert, moveIn, moveOut, snapshotEnd, update } from "../../src/testing/messages.ts"

const upToDate = { headers: { control: "up-to-date", global_last_seen_lsn: "12345678901234567890" } }
const decode = (list: unknown) => decodeBody(JSON.stringify(list))

describe("decodeBody", () => {
  it("keeps messages in order and values as they came", () => {
    const messages = [
      insert("items", { id: "9007199254740993", flag: "t", data: '{"a":1}', list: "{1,NULL}", at: null }),
      snapshotEnd({ xmin: "1", xmax: "9", xip_list: ["4"] }),
      moveOut([{ pos: 0, value: "ab" }]),
      moveIn([{ pos: 0, value: "cd" }]),
      update("items", { id: "1" }, { lsn: 7, op: 2, tags: ["a/"] }),
    ]
    expect(decode([...messages, upToDate])).toEqual({
      _tag: "Body",
      messages,
      upToDate: true,
      lastSeenLsn: "12345678901234567890",
      mustRefetch: false,
    })
  })

  it("is up to date only when the last message says so", () => {
    expect(decode([upToDate, insert("items", { id: "1" })])).toMatchObject({ upToDate: false })
    expect(decode([])).toMatchObject({ upToDate: false, messages: [] })
    expect(decodeBody("")).toMatchObject({ upToDate: false, messages: [] })
  })

  it("skips kinds it does not know", () => {
    const unknown = [
      { headers: { control: "subset-end" } },
      { headers: { event: "something-new" } },
      { headers: { weather: "fine" } },
      { key: "k", value: {}, headers: { operation: "merge" } },
    ]
    expect(decode([...unknown, upToDate])).toMatchObject({ messages: [], upToDate: true })
  })

  it("notices a must-refetch inside a successful answer", () => {
    expect(decode([{ headers: { control: "must-refetch" } }])).toMatchObject({ mustRefetch: true })
  })

  it.each<[string, string, RegExp]>([
    ["malformed JSON", "[{", /not JSON/],
    ["an object", '{"message":"hi"}', /not an array but a object/],
    ["null", "null", /not an array but null/],
    ["a message without headers", "[{}]", /message 0 has no headers/],
    ["a message that is a number", "[1]", /message 0 has no headers/],
    [
      "a change without a value",
      '[{"key":"k","headers":{"operation":"insert"}}]',
      /message 0 is a change without a value \(k\)/,
    ],
    [
      "a key that is no text",
      '[{"key":1,"value":{},"headers":{"operation":"insert"}}]',
      /key that is not text/,
    ],
    [
      "a value that is no text",
      '[{"key":"k","value":{"id":1},"headers":{"operation":"insert"}}]',
      /column id as a number/,
    ],
    ["a snapshot-end that says nothing", '[{"headers":{"control":"snapshot-end"}}]', /snapshot-end without/],
    ["an event without patterns", '[{"headers":{"event":"move-out"}}]', /event without patterns/],
  ])("refuses %s", (_name, text, message) => {
    const result = decodeBody(text)
    expect(result._tag).toBe("Violation")
    expect(result._tag === "Violation" ? result.message : "").toMatch(message)
  })
})

describe("isRegression", () => {
  it.each<[string, string, boolean]>([
    ["-1", "0_0", false],
    ["0_0", "0_1", false],
    ["0_9", "0_inf", false],
    ["0_inf", "5_0", false],
    ["0_inf", "0_inf", false],
    ["5_2", "5_2", false],
    ["0_inf", "0_3", true],
    ["9_0", "10_0", false],
    ["10_0", "9_7", true],
    ["5_10", "5_9", true],
    ["9007199254740993_0", "9007199254740992_0", true],
    ["opaque", "0_0", false],
    ["5_0", "opaque", false],
  ])("from %s to %s: %s", (before, after, expected) => {
    expect(isRegression(before, after)).toBe(expected)
  })
})

/** The documents that list failures and waits say what the code does: both ways. */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import { defaultEngineConfig } from "@espalier/engine"
import {
  type FailureRow,
  localFailures,
  type ShapeErrorReason,
  wireFailures,
} from "@espalier/engine/protocol"
import { maxRetryAfterMillis } from "../src/adapters/electric/classify.ts"
import { maxIdlePauseMillis, maxRefetches } from "../src/adapters/electric/Pacing.ts"
import { storeRetryMillis } from "../src/reconciler/Reconciler.ts"

const read = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../${path}`, import.meta.url)), "utf8")

const rendered = (rows: Readonly<Record<string, FailureRow>>): string =>
  [
    "| Failure | Reason | State | Next |",
    "|---|---|---|---|",
    ...Object.values(rows).map(
      ({ failure, next, reason, state }) =>
        `| ${failure} | ${reason === null ? "–" : `\`${reason}\``} | \`${state}\` | ${next} |`,
    ),
  ].join("\n")

const between = (text: string, name: string): string =>
  new RegExp(`<!-- ${name} -->\\n([\\s\\S]*?)\\n?<!-- /${name} -->`).exec(text)?.[1]?.trim() ?? ""

describe("docs/errors.md", () => {
  const page = read("../../docs/errors.md")
  it("shows the failures on the wire as they are", () => {
    expect(between(page, "wire failures")).toBe(rendered(wireFailures))
  })

  it("shows the failures on this side as they are", () => {
    expect(between(page, "local failures")).toBe(rendered(localFailures))
  })

  it("leaves out no reason an instance can fail for", () => {
    const listed = new Set<string | null>(
      [...Object.values(wireFailures), ...Object.values(localFailures)].map((row) => row.reason),
    )
    const all: Record<ShapeErrorReason["_tag"], true> = {
      Network: true,
      Overloaded: true,
      Unauthorised: true,
      Forbidden: true,
      ShapeRejected: true,
      SchemaMismatch: true,
      ProtocolViolation: true,
      SourceEnded: true,
      RowRejected: true,
      StoreUnavailable: true,
      QuotaExceeded: true,
    }
    expect(Object.keys(all).filter((reason) => !listed.has(reason))).toEqual([])
  })

  it("names the limits with their defaults", () => {
    for (const [, name, value] of page.matchAll(
      /`(\w+Millis|breakerFailures|recoveryRequestsPerSecond)`[^`(]*?\((\d[\d,]*)\)/g,
    ))
      expect([name, Number(value!.replaceAll(",", ""))]).toEqual([
        name,
        defaultEngineConfig[name as keyof typeof defaultEngineConfig],
      ])
  })
})

describe("SPEC.md's waits", () => {
  const spec = read("SPEC.md")
  const section = spec.slice(spec.indexOf("## Waits"), spec.indexOf("## Invariants"))
  const rows = section
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => line.split("|").map((cell) => cell.trim()))
  const words = (text: string): ReadonlyArray<string> =>
    [...text.matchAll(/`(\w+)`/g)].map((match) => match[1]!)

  /** What may end a wait. The constants are imported so that a renamed one fails here. */
  const bounds = new Set([
    ...Object.keys(defaultEngineConfig),
    ...Object.keys({ maxRetryAfterMillis, maxIdlePauseMillis, maxRefetches, storeRetryMillis }),
    "bodyIdleMillis",
  ])
  const tags = (path: string): ReadonlyArray<string> =>
    [...read(path).matchAll(/_tag: "(\w+)"/g)].map((match) => match[1]!)
  const triggers = new Set([...tags("src/reconciler/Input.ts"), ...tags("src/machine/InstanceEvent.ts")])

  it("has a row for every state (I17)", () => {
    const states = new Set(tags("src/machine/InstanceState.ts"))
    expect(new Set(rows.flatMap((cells) => words(cells[1]!)))).toEqual(states)
  })

  it("ends every wait by a limit or a trigger that exists (I17)", () => {
    for (const [, state, what, ends] of rows) {
      const names = words(ends!)
      expect(names, `${state} waits for ${what}`).not.toEqual([])
      for (const name of names)
        expect(bounds.has(name) || triggers.has(name), `${name} of ${state}`).toBe(true)
    }
  })
})

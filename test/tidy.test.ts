/**
 * House rules that no linter knows, asserted on the files themselves. Every exception stands here with its reason; a
 * rule that needs many exceptions is the wrong rule.
 */
import { describe, expect, it } from "vitest"
import {
  code,
  files,
  isTest,
  linesMatching,
  packageSource,
  readJson,
  withoutComments,
  type SourceFile,
} from "./support/tree.ts"

/** Longest file in lines; tests may be longer because their tables are, components by their styles. */
const maxLines = { source: 300, test: 800, component: 500 } as const

/** Words of the wire that mean nothing else; only `protocol/constants.ts` spells them. */
const wireWords = [
  "up-to-date",
  "must-refetch",
  "snapshot-end",
  "subset-end",
  "move-in",
  "move-out",
  "electric-[a-z-]+",
  "live_sse",
  "experimental_live_sse",
  "expired_handle",
  "cache-buster",
  "queryable_columns",
]

/** Files that may read the real clock, the real random source or write to the console, and why. */
const worldly: Readonly<Record<string, string>> = {
  "packages/vue-bindings/src/panel/usePanel.ts":
    "shows ages and countdowns to a person, who has the real clock too",
  "packages/worker/src/host/storage/IndexedDbFiles.ts":
    "compares the times of files with the clock that PGlite's file system took them from",
}

/** Folders whose files are programs for a terminal: they print. */
const isCommandLine = (path: string): boolean => /\/src\/cli(\/|\.ts$)/.test(path)

/** Index files that may say `export *`, and why. */
const starExports: Readonly<Record<string, string>> = {
  "packages/engine/src/protocol/index.ts":
    "ShapeError.ts is the error union, and every member of it is public",
}

/** Files besides `constants.ts` that spell words of the wire, and why. */
const wireSpellers: Readonly<Record<string, string>> = {
  "packages/engine/src/protocol/constants.ts": "it is the one place",
  "packages/engine/src/protocol/Message.ts": "the types of messages name the literal values they may have",
}

/** Files that may name the reference folder beside the repository: they skip when it is absent. */
const mayNameReferences = (file: SourceFile): boolean => isTest(file.path) && /existsSync/.test(file.text)

const dependenciesOf = (path: string): ReadonlyArray<readonly [name: string, version: string]> => {
  const manifest = readJson(path)
  return ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"].flatMap((field) =>
    Object.entries((manifest[field] ?? {}) as Record<string, string>),
  )
}
const manifests = files.filter(({ path }) => /(^|\/)package\.json$/.test(path)).map(({ path }) => path)
const readme = files.find(({ path }) => path === "README.md")
const workspaceFile = files.find(({ path }) => path === "pnpm-workspace.yaml")?.text ?? ""

/** `name: version` lines below `catalog:` and below the names of `catalogs:`. */
const catalogEntries = (): ReadonlyArray<readonly [name: string, version: string]> => {
  const sections = workspaceFile.split(/\n(?=\S)/).filter((part) => /^catalogs?:/.test(part))
  return sections.flatMap((part) =>
    [...part.matchAll(/^ +"?([^":\s]+)"?: +"?([^"\s]+)"?$/gm)].map(
      ([, name, version]) => [name!, version!] as const,
    ),
  )
}

describe("Tidy: size and shape of files", () => {
  it("keeps every file within its length", () => {
    const tooLong = code.flatMap(({ path, text }) => {
      const lengthOf = (part: string): number => part.split("\n").length - 1
      const measures: ReadonlyArray<readonly [lines: number, limit: number]> = isTest(path)
        ? [[lengthOf(text), maxLines.test]]
        : [
            [lengthOf(text.replace(/^<style[\s\S]*?^<\/style>\n/gm, "")), maxLines.source],
            [lengthOf(text), path.endsWith(".vue") ? maxLines.component : maxLines.source],
          ]
      return measures.flatMap(([lines, limit]) =>
        lines > limit ? [`${path}: ${lines} lines, limit ${limit}`] : [],
      )
    })
    expect(tooLong).toEqual([])
  })

  it("opens every source file with a comment that says why it exists", () => {
    const opening = /^(#!.*\n)?\s*(\/\*\*|\/\/|<!--|<script[^>]*>\s*(\/\*\*|\/\/))/
    const silent = code.filter(({ path, text }) => !isTest(path) && !opening.test(text))
    expect(silent.map(({ path }) => path)).toEqual([])
  })

  it("lists the exports of index files by name", () => {
    const stars = code
      .filter(({ path }) => path.endsWith("/index.ts") && starExports[path] === undefined)
      .flatMap((file) => linesMatching(file, /^export \* from/))
    expect(stars).toEqual([])
  })
})

describe("Tidy: what code may not say", () => {
  it("spells the words of the wire in protocol/constants.ts only", () => {
    const literal = new RegExp(`["'\`](${wireWords.join("|")})["'\`]`)
    const raw = code
      .filter(
        ({ path }) =>
          !isTest(path) && /^(packages\/[^/]+\/src|apps\/[^/]+\/(app|server|shared))\//.test(path),
      )
      .filter(
        ({ path }) => wireSpellers[path] === undefined && !path.startsWith("packages/engine/src/testing/"),
      )
      .flatMap((file) => linesMatching({ path: file.path, text: withoutComments(file.text) }, literal))
    expect(raw).toEqual([])
  })

  it("takes time, chance and output from the outside in packages", () => {
    const world = /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bconsole\.|\bperformance\.now\(/
    const direct = packageSource
      .filter(({ path }) => !isCommandLine(path) && worldly[path] === undefined)
      .flatMap((file) => linesMatching({ path: file.path, text: withoutComments(file.text) }, world))
    expect(direct).toEqual([])
  })

  it("uses every exception it grants", () => {
    const granted = [...Object.keys(worldly), ...Object.keys(starExports), ...Object.keys(wireSpellers)]
    expect(granted.filter((path) => !code.some((file) => file.path === path))).toEqual([])
  })

  it("leaves nothing to do later", () => {
    // The words are put together here so that this file does not find itself.
    const later = new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"].join("|")})\\b`)
    const notes = [...code, ...files.filter(({ path }) => /\.(md|sql|css|ya?ml|sh)$/.test(path))]
    expect(notes.flatMap((file) => linesMatching(file, later))).toEqual([])
  })

  it("does not switch the type checker off", () => {
    const silencers = new RegExp(`@ts-${"ignore"}|@ts-${"nocheck"}`)
    const casts = new RegExp(`\\bas an${"y"}\\b|: an${"y"}\\b|<an${"y"}>`)
    const found = code.flatMap((file) => [
      ...linesMatching(file, silencers),
      ...linesMatching({ path: file.path, text: withoutComments(file.text) }, casts),
    ])
    expect(found).toEqual([])
  })

  it("gives a reason with every silenced lint rule", () => {
    const silenced = code.flatMap((file) => linesMatching(file, /(oxlint|eslint)-disable(?!.* -- )/))
    expect(silenced).toEqual(silenced.filter((line) => line.startsWith("test/tidy.test.ts")))
  })

  it("neither focuses a test nor skips one without saying why", () => {
    const focused = code.flatMap((file) => linesMatching(file, /\b(it|test|describe)(\.\w+)*\.only\(/))
    expect(focused).toEqual([])
    const unexplained = code.flatMap(({ path, text }) => {
      const lines = text.split("\n")
      return lines.flatMap((line, i) => {
        if (!/\b(it|test|describe)(\.\w+)*\.(skip|skipIf|runIf|todo|fails)\(/.test(line)) return []
        const before = lines[i - 1] ?? ""
        return /\/\/|\*\//.test(line) || /^\s*(\/\/|\*|\/\*)/.test(before)
          ? []
          : [`${path}:${i + 1}: ${line.trim()}`]
      })
    })
    expect(unexplained.filter((line) => !line.startsWith("test/tidy.test.ts"))).toEqual([])
  })

  it("names no machine, no registry and no workplace", () => {
    const machine = new RegExp(
      [
        `/${"work"}/`,
        `/${"root"}/`,
        `(?<![\\w.])/${"home"}/\\w`,
        `https?://[\\w.-]*(registry|mirror|artifactory|nexus|verdaccio)[\\w.-]*`,
        `\\b(Clau${"de"}|Anthro${"pic"}|Open${"AI"}|Chat${"GPT"}|L${"LM"}|Copi${"lot"})\\b`,
        `language ${"model"}`,
      ].join("|"),
    )
    expect(files.flatMap((file) => linesMatching(file, machine))).toEqual([])
  })

  it("names the reference folder only in tests that skip when it is absent", () => {
    const references = new RegExp(`\\.\\./${"shared"}/(golden|reference|peer-faults|design|plan|lab)`)
    const found = files
      .filter((file) => !mayNameReferences(file))
      .flatMap((file) => linesMatching(file, references))
    expect(found).toEqual([])
  })
})

describe("Tidy: dependencies and commands", () => {
  it("takes every dependency of a package from the catalog or the workspace", () => {
    const loose = manifests
      .filter((path) => path !== "package.json")
      .flatMap((path) => dependenciesOf(path).map(([name, version]) => ({ path, name, version })))
      .filter(({ version }) => !/^(catalog:[a-z]*|workspace:\*)$/.test(version))
    expect(loose).toEqual([])
  })

  it("pins every version exactly", () => {
    const exact = /^\d+\.\d+\.\d+(-[\w.]+)?$/
    const fromRoot = dependenciesOf("package.json").filter(
      ([, version]) => !/^(catalog|workspace):/.test(version),
    )
    expect(catalogEntries().length).toBeGreaterThan(0)
    expect([...catalogEntries(), ...fromRoot].filter(([, version]) => !exact.test(version))).toEqual([])
  })

  it("keeps no catalog entry that nobody uses", () => {
    const used = new Set(manifests.flatMap((path) => dependenciesOf(path).map(([name]) => name)))
    expect(catalogEntries().filter(([name]) => !used.has(name))).toEqual([])
  })

  it("gives a reason for every dependency in the README's table", () => {
    if (readme === undefined) return
    const rows = readme.text.split("\n").filter((line) => line.startsWith("|"))
    const named = new Set(
      rows.flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)].map((match) => match[1]!)),
    )
    const wanted = new Set(manifests.flatMap((path) => dependenciesOf(path).map(([name]) => name)))
    const unexplained = [...wanted].filter(
      (name) => !name.startsWith("@espalier/") && !name.startsWith("node-") && !named.has(name),
    )
    expect(unexplained).toEqual([])
  })

  it("names only commands that exist in the README", () => {
    if (readme === undefined) return
    const scripts = Object.keys(readJson("package.json")["scripts"] as Record<string, string>)
    const pnpmsOwn = ["install", "exec", "add", "run"]
    const named = [...readme.text.matchAll(/\bpnpm(?:@[\d.]+)? (?:-s |--silent )?([a-z][a-z:-]*)/g)].map(
      (m) => m[1]!,
    )
    expect([...new Set(named)].filter((name) => !scripts.includes(name) && !pnpmsOwn.includes(name))).toEqual(
      [],
    )
  })
})

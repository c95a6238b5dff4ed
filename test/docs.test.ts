/**
 * The documents: what they quote is what is there, every block of code is a quotation, every link leads somewhere, and every command they name exists. What the
 * quoted files do is tested where they are; that commands know the options documents give them is in `commands.integration.test.ts`.
 */
import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { documents, requote, root } from "../scripts/quote.ts"
import { blocksOf, commandsIn, headingsOf, linksOf } from "./support/markdown.ts"
import { readJson } from "./support/tree.ts"

const read = (file: string): string => readFileSync(join(root, file), "utf8")
/** Made from the code, and held to it by `pnpm check`. */
const isGenerated = (file: string): boolean => file.startsWith("docs/reference/")
const scripts = Object.keys(readJson("package.json")["scripts"] as Record<string, string>)
const pnpmsOwn = ["install", "exec", "add", "run", "pack"]

/** Fenced blocks that are no code: drawings have no language, and commands are checked by their words. */
const isChecked = ({ before, language }: { readonly before: string; readonly language: string }): boolean =>
  language === "" || language === "sh" || /^<!-- (quote|output) .+ -->$|^<!-- \S+#\S+ -->$/.test(before)

describe("the documents", () => {
  for (const file of documents()) {
    const text = read(file)

    it(`${file} quotes its sources as they are`, () => {
      expect(requote(text) === text, "run `node scripts/quote.ts`").toBe(true)
    })

    it(`${file} links only to files and headings that exist`, () => {
      const broken = linksOf(text).filter((link) => {
        if (/^https?:/.test(link)) return !URL.canParse(link)
        const [path = "", heading] = link.split("#")
        const target = path === "" ? file : join(dirname(file), path)
        if (!existsSync(join(root, target))) return true
        return heading !== undefined && target.endsWith(".md") && !headingsOf(read(target)).includes(heading)
      })
      expect(broken).toEqual([])
    })

    if (isGenerated(file)) continue

    it(`${file} holds no code that nothing checks`, () => {
      expect(blocksOf(text).filter((block) => !isChecked(block))).toEqual([])
    })

    it(`${file} names only commands that exist`, () => {
      const unknown = commandsIn(text).filter(({ name }) => ![...scripts, ...pnpmsOwn].includes(name))
      expect(unknown).toEqual([])
    })
  }

  it("have every guide in their list", () => {
    const listed = linksOf(read("docs/README.md"))
    const guides = documents().filter((file) => /^docs\/[^/]+\.md$/.test(file) && file !== "docs/README.md")
    expect(guides.map((file) => file.slice("docs/".length)).filter((name) => !listed.includes(name))).toEqual(
      [],
    )
  })
})

describe("reading documents", () => {
  const text = [
    "<!-- quote a.ts -->",
    "```ts",
    "# no heading",
    "[no](link.md)",
    "```",
    "# It's `a` heading",
  ].join("\n")

  it("takes blocks apart from prose", () => {
    expect(blocksOf(text)).toEqual([{ before: "<!-- quote a.ts -->", language: "ts", line: 2 }])
    expect(headingsOf(text)).toEqual(["its-a-heading"])
    expect(linksOf(`${text}\n[yes](other.md#x) ![picture](p.png)`)).toEqual(["other.md#x", "p.png"])
  })

  it("finds commands with their options, in prose and in blocks", () => {
    expect(
      commandsIn(
        "`pnpm sim --seeds N`, then `npx -y pnpm@10.34.8 demo`\n```sh\npnpm bench store --json\n```",
      ),
    ).toEqual([
      { name: "sim", options: ["--seeds"] },
      { name: "demo", options: [] },
      { name: "bench", options: ["--json"] },
    ])
  })
})

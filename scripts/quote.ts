/**
 * Keeps code quoted in documents equal to the files it comes from. A document says
 * `<!-- quote PATH -->` (or `PATH#region`, for the lines between `// #region name` and `// #endregion`), and everything up to
 * `<!-- /quote -->` is the fenced text. `node scripts/quote.ts` rewrites the documents; the test in `test/docs.test.ts` fails on drift.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { extname, join } from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("..", import.meta.url))

/** Documents that may quote: the README files, `docs/` and each package's. */
export const documents = (): ReadonlyArray<string> => [
  "README.md",
  ...["docs", "packages", "apps"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".md") && !/node_modules|dist|\.output|\.nuxt|\.data/.test(file))
      .map((file) => join(folder, file)),
  ),
]

const language: Readonly<Record<string, string>> = {
  ".ts": "ts",
  ".vue": "vue",
  ".sh": "sh",
  ".sql": "sql",
  ".yml": "yaml",
}

const sourceOf = (reference: string): string => {
  const [path = "", region] = reference.split("#")
  const text = readFileSync(join(root, path), "utf8").trimEnd()
  if (region === undefined) return text
  const lines = text.split("\n")
  const start = lines.findIndex((line) => line.trim() === `// #region ${region}`)
  const end = lines.findIndex((line, index) => index > start && line.trim() === "// #endregion")
  if (start < 0 || end < 0) throw new Error(`${path} has no region "${region}"`)
  return lines.slice(start + 1, end).join("\n")
}

/** The document with every quotation taken anew from its file. */
export const requote = (document: string): string =>
  document.replaceAll(
    /<!-- quote (\S+) -->\n[\s\S]*?<!-- \/quote -->/g,
    (_, reference: string) =>
      `<!-- quote ${reference} -->\n\`\`\`${language[extname(reference.split("#")[0] ?? "")] ?? ""}\n${sourceOf(reference)}\n\`\`\`\n<!-- /quote -->`,
  )

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const file of documents()) {
    const before = readFileSync(join(root, file), "utf8")
    const after = requote(before)
    if (after !== before) {
      writeFileSync(join(root, file), after)
      process.stdout.write(`${file} requoted\n`)
    }
  }

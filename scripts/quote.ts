/**
 * Keeps code and output quoted in documents equal to where they come from. A document says
 * `<!-- quote PATH -->` (or `PATH#region`, for the lines between `// #region name` and `// #endregion`), and everything up to
 * `<!-- /quote -->` is the fenced text, without common indentation; or `<!-- output PATH ARGUMENTS -->` up to `<!-- /output -->`: what that program
 * prints. `node scripts/quote.ts` rewrites the documents; the test in `test/docs.test.ts` fails on drift.
 */
import { spawnSync } from "node:child_process"
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
  ".html": "html",
}

/** Programs whose output is quoted run for this long at most. */
const maxOutputMillis = 30_000

const dedent = (lines: ReadonlyArray<string>): string => {
  const indents = lines
    .filter((line) => line.trim() !== "")
    .map((line) => line.length - line.trimStart().length)
  const least = Math.min(...indents)
  return lines.map((line) => line.slice(least)).join("\n")
}

const outputOf = (command: string): string => {
  const [file = "", ...args] = command.split(" ")
  const { error, status, stderr, stdout } = spawnSync(process.execPath, [join(root, file), ...args], {
    cwd: root,
    encoding: "utf8",
    timeout: maxOutputMillis,
  })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`${command} ended with ${status}: ${stderr}`)
  return stdout.trimEnd()
}

const sourceOf = (reference: string): string => {
  const [path = "", region] = reference.split("#")
  const text = readFileSync(join(root, path), "utf8").trimEnd()
  if (region === undefined) return text
  const lines = text.split("\n")
  const start = lines.findIndex((line) => line.trim() === `// #region ${region}`)
  const end = lines.findIndex((line, index) => index > start && line.trim() === "// #endregion")
  if (start < 0 || end < 0) throw new Error(`${path} has no region "${region}"`)
  return dedent(lines.slice(start + 1, end))
}

const fenced = (kind: string, reference: string, tag: string, text: string): string =>
  `<!-- ${kind} ${reference} -->\n\`\`\`${tag}\n${text}\n\`\`\`\n<!-- /${kind} -->`

/** The document with every quotation taken anew from its file or program. */
export const requote = (document: string): string =>
  document
    .replaceAll(/<!-- quote (\S+) -->\n[\s\S]*?<!-- \/quote -->/g, (_, reference: string) =>
      fenced("quote", reference, language[extname(reference.split("#")[0] ?? "")] ?? "", sourceOf(reference)),
    )
    .replaceAll(/<!-- output (.+?) -->\n[\s\S]*?<!-- \/output -->/g, (_, command: string) =>
      fenced("output", command, "text", outputOf(command)),
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

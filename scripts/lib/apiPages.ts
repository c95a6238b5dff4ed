/**
 * The text of the API reference: one page per package, made from the types and docstrings of its entry points with the compiler's own API (TypeScript 6,
 * which the Vue package has anyway; 7 has none yet). Reads the code, writes nothing.
 */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import type TypeScript from "../../packages/vue-bindings/node_modules/typescript/lib/typescript.js"
import { published } from "./packages.ts"
import { at, root } from "./paths.ts"
import { describeSymbol, type Described } from "./apiSymbols.ts"

const ts = createRequire(at("packages", "vue-bindings", "package.json"))("typescript") as typeof TypeScript

/** An entry point of a package: what people import, and the file that is. */
interface Entry {
  readonly specifier: string
  readonly file: string
}

interface Package {
  readonly folder: string
  readonly name: string
  readonly description: string
  readonly entries: ReadonlyArray<Entry>
}

const packageIn = (folder: string): Package => {
  const manifest = JSON.parse(readFileSync(at("packages", folder, "package.json"), "utf8")) as {
    readonly name: string
    readonly description: string
    readonly exports: Readonly<Record<string, string>>
  }
  const entries = Object.entries(manifest.exports)
    .filter(([, file]) => file.endsWith(".ts"))
    .map(([path, file]) => ({
      specifier: manifest.name + path.slice(1),
      file: at("packages", folder, file),
    }))
  return { folder, name: manifest.name, description: manifest.description, entries }
}

const programOf = (files: ReadonlyArray<string>): TypeScript.Program =>
  ts.createProgram({
    rootNames: [...files],
    options: {
      target: ts.ScriptTarget.ES2024,
      lib: ["lib.es2024.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts", "lib.dom.asynciterable.d.ts"],
      module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      allowImportingTsExtensions: true,
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: true,
      noEmit: true,
      types: ["node"],
      typeRoots: [at("node_modules", "@types")],
    },
  })

const fence = "```"

const section = ({ docs, name, signature }: Described): string =>
  [`### \`${name}\``, ...(docs === "" ? [] : ["", docs]), "", `${fence}ts`, signature, fence].join("\n")

/** What stands before the first statement of an entry file: why it exists. */
const headerOf = (source: TypeScript.SourceFile): string => {
  const found = /^(?:#!.*\n)?\s*\/\*\*([\s\S]*?)\*\//.exec(source.text)?.[1] ?? ""
  return found.replaceAll(/^[ \t]*\* ?/gm, "").trim()
}

const pageOf = (program: TypeScript.Program, { description, entries, name }: Package): string => {
  const checker = program.getTypeChecker()
  const seen = new Map<TypeScript.Symbol, string>()
  const lines = [
    `# \`${name}\``,
    "",
    description,
    "",
    "Made from the docstrings by `pnpm docs:api`; do not edit. [All packages](README.md)",
  ]
  for (const { file, specifier } of entries) {
    const source = program.getSourceFile(file)
    const module = source === undefined ? undefined : checker.getSymbolAtLocation(source)
    lines.push("", `## \`${specifier}\``)
    if (source === undefined || module === undefined) continue
    const header = headerOf(source)
    if (header !== "") lines.push("", header)
    const repeated: Array<string> = []
    for (const { described, symbol } of exportsOf(checker, module)) {
      const before = seen.get(symbol)
      if (before !== undefined) repeated.push(`\`${described.name}\` (see \`${before}\`)`)
      else {
        seen.set(symbol, specifier)
        lines.push("", section(described))
      }
    }
    if (repeated.length > 0) lines.push("", `Also here: ${repeated.join(", ")}.`)
  }
  return `${lines.join("\n")}\n`
}

interface Exported {
  readonly symbol: TypeScript.Symbol
  readonly described: Described
}

/** Exports in alphabetical order; those of a namespace (`export * as Gateway`) under its name. */
const exportsOf = (
  checker: TypeScript.TypeChecker,
  module: TypeScript.Symbol,
  prefix = "",
): ReadonlyArray<Exported> =>
  checker
    .getExportsOfModule(module)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((symbol) => {
      const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
      const declaration = target.declarations?.[0]
      if (declaration === undefined) return []
      // A re-exported module of the package's own is a namespace of it; one of a dependency is only named.
      if (ts.isSourceFile(declaration)) {
        return declaration.fileName.startsWith(join(root, "packages"))
          ? exportsOf(checker, target, `${prefix}${symbol.name}.`)
          : []
      }
      return [{ symbol: target, described: describeSymbol(ts, checker, target, `${prefix}${symbol.name}`) }]
    })

/** The pages by file name. */
export const apiPages = (): ReadonlyMap<string, string> => {
  const packages = published.map(packageIn)
  const program = programOf(packages.flatMap(({ entries }) => entries.map(({ file }) => file)))
  const pages = new Map(packages.map((one) => [`${one.folder}.md`, pageOf(program, one)]))
  const index = packages.map(
    ({ description, entries, folder, name }) =>
      `| [\`${name}\`](${folder}.md) | ${description} | ${entries.map(({ specifier }) => `\`${specifier}\``).join(", ")} |`,
  )
  pages.set(
    "README.md",
    `# API reference\n\nMade from the docstrings by \`pnpm docs:api\`; do not edit. How the parts are used is in the [guides](../README.md).\n\n| Package | Is | Entry points |\n|---|---|---|\n${index.join("\n")}\n`,
  )
  return pages
}

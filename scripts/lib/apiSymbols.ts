/** How one exported symbol stands in the API reference: its docstring as Markdown, and its declaration without bodies. Called by `apiPages.ts`. */
import type TypeScript from "../../packages/vue-bindings/node_modules/typescript/lib/typescript.js"

/** A symbol as the reference shows it. */
export interface Described {
  readonly name: string
  readonly docs: string
  readonly signature: string
}

/** Characters of an inferred type at most; a longer one says nothing to a reader and is cut. */
const maxInferredLength = 700

type Ts = typeof TypeScript

const withoutPaths = (text: string): string => text.replaceAll(/import\("[^"]*"\)\./g, "")

const cut = (text: string): string =>
  text.length > maxInferredLength ? `${text.slice(0, maxInferredLength).trimEnd()} …` : text

const linked = (text: string): string => text.replaceAll(/\{@link\s+([^}|\s]+)[^}]*\}/g, "`$1`")

const tagWords: Readonly<Record<string, string>> = {
  returns: "Returns",
  throws: "Throws",
  param: "Parameter",
}

const docsOf = (ts: Ts, checker: TypeScript.TypeChecker, symbol: TypeScript.Symbol): string => {
  const text = ts.displayPartsToString(symbol.getDocumentationComment(checker))
  const tags = symbol.getJsDocTags(checker).flatMap(({ name, text: parts }) => {
    const word = tagWords[name]
    const said = ts.displayPartsToString(parts).trim()
    return word === undefined || said === "" ? [] : [`${word}: ${said}`]
  })
  return linked([text.trim(), ...tags].filter((part) => part !== "").join("\n\n"))
}

const isHidden = (ts: Ts, member: TypeScript.ClassElement): boolean =>
  (member.name !== undefined && ts.isPrivateIdentifier(member.name)) ||
  (ts.canHaveModifiers(member) &&
    (ts.getModifiers(member) ?? []).some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword))

/** The text up to the body or initialiser. */
const headOf = (member: TypeScript.ClassElement, source: TypeScript.SourceFile): string => {
  const end =
    "body" in member && member.body !== undefined
      ? (member.body as TypeScript.Node).getStart(source)
      : "initializer" in member &&
          member.initializer !== undefined &&
          "type" in member &&
          member.type !== undefined
        ? (member.type as TypeScript.Node).getEnd()
        : member.getEnd()
  return source.text.slice(member.getStart(source, true), end).trim()
}

const classText = (ts: Ts, node: TypeScript.ClassDeclaration): string => {
  const source = node.getSourceFile()
  const open = node.members.pos
  const head = source.text.slice(node.getStart(source), open).trim()
  const members = node.members
    .filter((member) => !isHidden(ts, member))
    .map((member) => `  ${headOf(member, source)}`)
  return members.length === 0 ? `${head} }` : `${head}\n${members.join("\n")}\n}`
}

const valueText = (
  ts: Ts,
  checker: TypeScript.TypeChecker,
  symbol: TypeScript.Symbol,
  node: TypeScript.Declaration,
): string => {
  const type = checker.getTypeOfSymbolAtLocation(symbol, node)
  const flags = ts.TypeFormatFlags.NoTruncation | ts.TypeFormatFlags.UseAliasDefinedOutsideCurrentScope
  return `const ${symbol.name}: ${cut(withoutPaths(checker.typeToString(type, node, flags)))}`
}

/** Describes an exported symbol under the name people import it by. */
export const describeSymbol = (
  ts: Ts,
  checker: TypeScript.TypeChecker,
  symbol: TypeScript.Symbol,
  name: string,
): Described => {
  const docs = docsOf(ts, checker, symbol)
  const node = symbol.valueDeclaration ?? symbol.declarations?.[0]
  if (node === undefined) return { name, docs, signature: name }
  if (ts.isClassDeclaration(node)) return { name, docs, signature: classText(ts, node) }
  if (ts.isInterfaceDeclaration(node)) return { name, docs, signature: node.getText() }
  if (ts.isTypeAliasDeclaration(node)) return { name, docs, signature: node.getText() }
  if (ts.isEnumDeclaration(node)) return { name, docs, signature: node.getText() }
  return { name, docs, signature: valueText(ts, checker, symbol, node) }
}

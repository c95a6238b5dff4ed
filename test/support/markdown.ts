/** Reads what the tests about documents look at: blocks, links, headings, commands. Pure. */

/** A fenced block. */
export interface Block {
  /** The line of text before it, blank lines skipped. */
  readonly before: string
  readonly language: string
  readonly line: number
}

const fence = /^\s*```(\S*)/

/** Every fenced block. */
export const blocksOf = (text: string): ReadonlyArray<Block> => {
  const blocks: Array<Block> = []
  let isInside = false
  let before = ""
  for (const [index, line] of text.split("\n").entries()) {
    const language = fence.exec(line)?.[1]
    if (language !== undefined) {
      if (!isInside) blocks.push({ before, language, line: index + 1 })
      isInside = !isInside
    }
    if (!isInside && language === undefined && line.trim() !== "") before = line.trim()
  }
  return blocks
}

const prose = (text: string): string => text.replaceAll(/^\s*```[\s\S]*?^\s*```/gm, "")

/** Targets of links and pictures. */
export const linksOf = (text: string): ReadonlyArray<string> =>
  [...prose(text).matchAll(/\]\((?!mailto:)([^)\s]+)\)/g)].map((match) => match[1] ?? "")

/** Anchors of the headings, as GitHub makes them. */
export const headingsOf = (text: string): ReadonlyArray<string> =>
  [...prose(text).matchAll(/^#+ +(.+)$/gm)].map(([, heading]) =>
    (heading ?? "")
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replaceAll(/\s/g, "-"),
  )

/** A command of this repository as a document names it. */
export interface NamedCommand {
  readonly name: string
  readonly options: ReadonlyArray<string>
}

/** Commands in code spans and `sh` blocks. */
export const commandsIn = (text: string): ReadonlyArray<NamedCommand> => {
  const spans = [...text.matchAll(/```sh\n([\s\S]*?)```|`([^`\n]+)`/g)].flatMap(([, block, span]) =>
    (block ?? span ?? "").split("\n"),
  )
  return spans.flatMap((line) => {
    const found = /\bpnpm(?:@[\d.]+)? (?:-s |--silent )?(?:run )?([a-z][a-z:-]*)(.*)$/.exec(line)
    if (found === null) return []
    const rest = (found[2] ?? "").replace(/ #.*$/, "")
    return [
      { name: found[1] ?? "", options: [...rest.matchAll(/(--[a-z][a-z-]*)/g)].map(([, one]) => one ?? "") },
    ]
  })
}

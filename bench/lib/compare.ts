/**
 * Two revisions measured alternately: the given one in a git worktree with an install of its own, and the working tree. Each round runs
 * both once, in changing order, in processes of their own, so that a busy machine harms both alike and ratios can be trusted when single
 * figures cannot. Called by `bench/cli.ts`.
 */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { runNode, runProgram } from "../../scripts/lib/child.ts"
import { CommandError } from "../../scripts/lib/cli.ts"
import { at, root } from "../../scripts/lib/paths.ts"
import { median, type Measure } from "./measure.ts"

/** One id on both sides. */
export interface Comparison {
  readonly id: string
  readonly unit: string
  /** Median of the revision. */
  readonly before: number
  /** Median of the working tree. */
  readonly after: number
  /** `after` by `before`, median of the rounds' ratios. */
  readonly ratio: number
  readonly rounds: number
  readonly spread: readonly [min: number, max: number]
}

export interface CompareOptions {
  readonly revision: string
  readonly suite: string
  readonly rounds: number
  /** Arguments for each side's `bench`: `--only`, `--rows`. */
  readonly args: ReadonlyArray<string>
  readonly log: (line: string) => void
}

/** Measures both sides and compares the ids that both know. */
export const compare = async (options: CompareOptions): Promise<ReadonlyArray<Comparison>> => {
  const folder = join(await mkdtemp(join(tmpdir(), "espalier-bench-")), "before")
  try {
    await checkOut(options.revision, folder)
    const rounds: Array<Readonly<Record<"before" | "after", ReadonlyArray<Measure>>>> = []
    for (let round = 0; round < options.rounds; round += 1) {
      const sides = { before: [] as ReadonlyArray<Measure>, after: [] as ReadonlyArray<Measure> }
      for (const side of round % 2 === 0 ? (["before", "after"] as const) : (["after", "before"] as const)) {
        options.log(`round ${round + 1}  ${side === "before" ? options.revision : "working tree"}`)
        sides[side] = await measureIn(side === "before" ? folder : root, options)
      }
      rounds.push(sides)
    }
    return compareRounds(rounds)
  } finally {
    await git("worktree", "remove", "--force", folder)
    await rm(join(folder, ".."), { recursive: true, force: true })
  }
}

/** Ratios per id, round by round. An id that one side lacks in a round is left out of it. */
export const compareRounds = (
  rounds: ReadonlyArray<Readonly<Record<"before" | "after", ReadonlyArray<Measure>>>>,
): ReadonlyArray<Comparison> => {
  const pairs = rounds.flatMap(({ after, before }) =>
    after.flatMap((now) => {
      const then = before.find(({ id }) => id === now.id)
      return then === undefined ? [] : [{ id: now.id, unit: now.unit, before: then.value, after: now.value }]
    }),
  )
  return [...Map.groupBy(pairs, ({ id }) => id)].map(([id, found]) => {
    const ratios = found.map(({ after, before }) => after / before)
    return {
      id,
      unit: found[0]?.unit ?? "",
      before: round3(median(found.map(({ before }) => before))),
      after: round3(median(found.map(({ after }) => after))),
      ratio: round3(median(ratios)),
      rounds: found.length,
      spread: [round3(Math.min(...ratios)), round3(Math.max(...ratios))],
    }
  })
}

const round3 = (value: number): number => Math.round(value * 1000) / 1000

const git = async (...args: ReadonlyArray<string>): Promise<void> => {
  const { code, output } = await runProgram("git", args)
  if (code !== 0) throw new CommandError(`git ${args[0]} failed: ${output.trim()}`)
}

/** The packages of a worktree must be its own, so it is installed anew, from the store of the package manager. */
const checkOut = async (revision: string, folder: string): Promise<void> => {
  await git("worktree", "add", "--detach", folder, revision)
  const pnpm = at("node_modules", "pnpm", "bin", "pnpm.cjs")
  const { code, output } = await runNode([pnpm, "install", "--frozen-lockfile", "--prefer-offline"], {
    cwd: folder,
  })
  if (code !== 0) throw new CommandError(`${revision} cannot be installed: ${output.trim().slice(-500)}`)
}

const measureIn = async (folder: string, options: CompareOptions): Promise<ReadonlyArray<Measure>> => {
  const args = [join(folder, "bench/cli.ts"), options.suite, "--json", "--rounds", "1", ...options.args]
  const { code, output, stdout } = await runNode(args, { cwd: folder })
  if (code !== 0) throw new CommandError(`bench failed in ${folder}: ${output.trim().slice(-500)}`)
  return (JSON.parse(stdout) as { readonly measures: ReadonlyArray<Measure> }).measures
}

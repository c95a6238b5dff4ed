/**
 * The packages as people get them: compiled to `dist`, packed by pnpm with the fields of `publishConfig`. Used by `pnpm pack:check` and by the test that
 * installs them in an empty project.
 */
import { mkdirSync, readFileSync, readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { buildWorker } from "./builds.ts"
import { CommandError } from "./cli.ts"
import { runNode, runProgram } from "./child.ts"
import { at, binFolder } from "./paths.ts"

/** Folders below `packages/` that are published, dependencies first. */
export const published = ["engine", "gateway", "dev-server", "worker", "vue-bindings"] as const

/** A packed package. */
export interface Tarball {
  readonly name: string
  readonly version: string
  readonly path: string
}

/** What each package's `dist` is made by, besides the worker's bundle: TypeScript projects. */
const compilers: ReadonlyArray<readonly [what: string, args: ReadonlyArray<string>]> = [
  [
    "the packages",
    [
      join(binFolder, "tsc"),
      "-b",
      ...["engine", "gateway", "dev-server", "worker"].map((folder) => `packages/${folder}/tsconfig.json`),
    ],
  ],
  ["the Vue bindings", [join(binFolder, "tsc"), "-p", "packages/vue-bindings/tsconfig.build.json"]],
]

/** Compiles every published package. @throws CommandError with the compiler's output */
export const compilePackages = async (): Promise<void> => {
  for (const [what, args] of compilers) {
    const { code, output } = await runNode(args)
    if (code !== 0) throw new CommandError(`compiling ${what} failed:\n${output.trim()}`)
  }
  await buildWorker()
}

/** Packs every published package into a folder, which is emptied first. @throws CommandError with pnpm's output */
export const packPackages = async (into: string): Promise<ReadonlyArray<Tarball>> => {
  rmSync(into, { recursive: true, force: true })
  mkdirSync(into, { recursive: true })
  const packed: Array<Tarball> = []
  for (const folder of published) {
    const before = new Set(readdirSync(into))
    const { code, output } = await runProgram(join(binFolder, "pnpm"), ["pack", "--pack-destination", into], {
      cwd: at("packages", folder),
    })
    const made = readdirSync(into).filter((file) => !before.has(file))
    if (code !== 0 || made.length !== 1) throw new CommandError(`packing ${folder} failed:\n${output.trim()}`)
    const { name, version } = JSON.parse(
      readFileSync(at("packages", folder, "package.json"), "utf8"),
    ) as Tarball
    packed.push({ name, version, path: join(into, made[0] ?? "") })
  }
  return packed
}

/**
 * Notices that whoever launched us is gone. A SIGTERM to `npx` or to `pnpm` ends them (and the shell between) without a
 * word to the program they run, which then goes on for ever; so long-running commands watch the chain of launchers above
 * them (`npm exec` → `sh` → `pnpm` → `sh` → us) and stop when a link is missing. Shells above the topmost launcher are
 * not watched: `pnpm demo &` in a script that ends is meant to go on.
 */
import { readFileSync } from "node:fs"

interface Ancestor {
  readonly pid: number
  readonly parent: number
  readonly command: string
}

const read = (pid: number): Ancestor | null => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1])
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim()
    return { pid, parent, command }
  } catch {
    // No such process, or no /proc (not Linux): then there is nothing to watch.
    return null
  }
}

const isShell = (command: string): boolean => /^(\/\S*\/)?(sh|bash|dash)\s/.test(command)
const isLauncher = (command: string): boolean =>
  !isShell(command) && /(^|[\s/])(npm|npx|pnpm|pnpx|corepack)(\.[cm]?js)?(\s|$)/.test(command)

/** Process ids from our parent up to the topmost `npx`, `npm` or `pnpm` above us; empty when there is none. */
export const launcherPids = (): ReadonlyArray<number> => {
  const chain: Array<Ancestor> = []
  for (let pid = process.ppid; pid > 1;) {
    const ancestor = read(pid)
    if (ancestor === null || !(isShell(ancestor.command) || isLauncher(ancestor.command))) break
    chain.push(ancestor)
    pid = ancestor.parent
  }
  return chain.slice(0, chain.findLastIndex(({ command }) => isLauncher(command)) + 1).map(({ pid }) => pid)
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Calls `onGone` once when a launcher has ended; returns the function that stops the watch. */
export const watchLaunchers = (onGone: () => void, everyMillis = 500): (() => void) => {
  const pids = launcherPids()
  const timer = setInterval(() => {
    if (pids.every(isAlive)) return
    clearInterval(timer)
    onGone()
  }, everyMillis)
  timer.unref()
  return () => clearInterval(timer)
}

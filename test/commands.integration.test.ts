/**
 * The repository's commands as a person or a script meets them: wrong input is a sentence and an exit code, and nothing a
 * command started outlives it, however it ends.
 */
import { spawn, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { documents } from "../scripts/quote.ts"
import { commandsIn } from "./support/markdown.ts"
import { readJson, root } from "./support/tree.ts"

interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

const start = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}): ChildProcess =>
  spawn(process.execPath, [...args], {
    cwd: root,
    env: { ...process.env, ELECTRIC_URL: "", DATABASE_URL: "", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  })

const run = async (
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> => {
  const child = start(args, env)
  let stdout = ""
  let stderr = ""
  child.stdout!.on("data", (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr!.on("data", (chunk: Buffer) => (stderr += chunk.toString()))
  const [code] = (await once(child, "close")) as [number | null]
  return { code, stdout, stderr }
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** The first line of standard output that `pattern` matches. */
const lineOf = (child: ChildProcess, pattern: RegExp): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = ""
    child.stdout!.on("data", (chunk: Buffer) => {
      text += chunk.toString()
      const line = text.split("\n").find((one) => pattern.test(one))
      if (line !== undefined) resolve(line)
    })
    child.once("exit", (code) => reject(new Error(`ended with ${code} before it said ${pattern}:\n${text}`)))
  })

describe("pnpm demo", () => {
  it("refuses a port that is none", async () => {
    for (const port of ["nonsense", "0", "70000", "-1", "3000.5"]) {
      const { code, stderr } = await run(["scripts/demo.ts", "--no-build"], { PORT: port })
      expect([port, code]).toEqual([port, 2])
      expect(stderr).toContain(`PORT must be a port number from 1 to 65535, not "${port}"`)
    }
  })

  it("names a port that is taken", async () => {
    const server = createServer().listen(0, "127.0.0.1")
    await once(server, "listening")
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    const { code, stderr } = await run(["scripts/demo.ts", "--no-build", "--port", String(port)])
    server.close()
    expect(code).toBe(4)
    expect(stderr).toContain(`port ${port} on 127.0.0.1 is taken`)
  })

  it("refuses a host that is not this machine, and an option it does not know", async () => {
    const host = await run(["scripts/demo.ts", "--no-build", "--port", "4791", "--host", "192.0.2.1"])
    expect([host.code, host.stderr]).toEqual([
      2,
      expect.stringContaining("192.0.2.1 is not an address of this machine"),
    ])
    const option = await run(["scripts/demo.ts", "--prot", "4791"])
    expect([option.code, option.stderr]).toEqual([2, expect.stringContaining("Usage: pnpm demo")])
  })

  it("says which server does not answer", async () => {
    const env = {
      PORT: "4792",
      ELECTRIC_URL: "http://127.0.0.1:9",
      DATABASE_URL: "postgresql://u:secret@127.0.0.1:9/d",
    }
    const { code, stderr } = await run(["scripts/demo.ts", "--no-build"], env)
    expect(code).toBe(3)
    expect(stderr).toContain("Electric does not answer at http://127.0.0.1:9/v1/health")
    expect(stderr).not.toContain("secret")
  })

  it("wants both or neither of ELECTRIC_URL and DATABASE_URL", async () => {
    const { code, stderr } = await run(["scripts/demo.ts", "--no-build"], {
      PORT: "4793",
      ELECTRIC_URL: "http://x",
    })
    expect(code).toBe(2)
    expect(stderr).toContain("ELECTRIC_URL is set but DATABASE_URL is not")
  })
})

describe("commands", () => {
  let elsewhere = ""

  beforeAll(() => {
    elsewhere = mkdtempSync(join(tmpdir(), "espalier-commands-"))
    cpSync(join(root, "scripts"), join(elsewhere, "scripts"), { recursive: true })
    writeFileSync(join(elsewhere, "package.json"), '{ "type": "module" }')
    writeFileSync(
      join(elsewhere, "waits.ts"),
      [
        'process.on("SIGTERM", () => { console.log("stopping"); process.exit(7) })',
        'process.on("SIGINT", () => { console.log("interrupted"); process.exit(8) })',
        "setInterval(() => undefined, 1000)",
        "console.log(`up ${process.pid} ${process.argv.slice(2).join()}`)",
      ].join("\n"),
    )
  })
  afterAll(() => rmSync(elsewhere, { recursive: true, force: true }))

  it("explain themselves, and know every option that a document gives them", async () => {
    const scripts = Object.entries(readJson("package.json")["scripts"] as Record<string, string>)
      .filter(([, command]) => command.startsWith("node "))
      .map(([name, command]) => [name, command.split(" ").slice(1)] as const)
    expect(scripts.length).toBeGreaterThan(3)
    const named = documents()
      .filter((file) => !file.startsWith("docs/reference/"))
      .flatMap((file) => commandsIn(readFileSync(join(root, file), "utf8")).map((one) => ({ file, ...one })))
    for (const [name, script] of scripts) {
      const { code, stdout } = await run([...script, "--help"])
      expect([script, code, stdout.length > 40]).toEqual([script, 0, true])
      const unknown = named
        .filter((one) => one.name === name)
        .flatMap(({ file, options }) =>
          options
            .filter((option) => option !== "--help" && !stdout.includes(option))
            .map((option) => ({ file, option })),
        )
      expect([name, unknown]).toEqual([name, []])
    }
  })

  it("say what to run when there is no build", async () => {
    const { code, stderr } = await run([join(elsewhere, "scripts/demo.ts"), "--no-build", "--port", "4794"])
    expect(code).toBe(1)
    expect(stderr).toContain("build output is missing")
    expect(stderr).toContain("pnpm build")
  })

  it("say that there is no such file", async () => {
    const { code, stderr } = await run(["scripts/run.ts", "packages/nothing.ts"])
    expect([code, stderr]).toEqual([2, expect.stringContaining("there is no packages/nothing.ts")])
  })

  it.each([
    ["SIGTERM", 7],
    ["SIGINT", 8],
  ] as const)("pass %s and the exit code through", async (signal, expected) => {
    const runner = start([join(elsewhere, "scripts/run.ts"), "waits.ts", "a", "b"])
    const line = await lineOf(runner, /^up /)
    expect(line).toMatch(/^up \d+ a,b$/)
    runner.kill(signal)
    const [code] = (await once(runner, "exit")) as [number | null]
    expect(code).toBe(expected)
    expect(isAlive(Number(line.split(" ")[1]))).toBe(false)
  })

  it("leave no process behind when they are killed", async () => {
    const runner = start([join(elsewhere, "scripts/run.ts"), "waits.ts"])
    const pid = Number((await lineOf(runner, /^up /)).split(" ")[1])
    runner.kill("SIGKILL")
    await expect.poll(() => isAlive(pid), { timeout: 20_000 }).toBe(false)
  })

  it("end when the shell that launched them through pnpm is killed", async () => {
    writeFileSync(
      join(elsewhere, "package.json"),
      JSON.stringify({
        name: "elsewhere",
        type: "module",
        scripts: { waits: "node scripts/run.ts waits.ts" },
      }),
    )
    const pnpm = spawn(process.execPath, [join(root, "node_modules/pnpm/bin/pnpm.cjs"), "run", "waits"], {
      cwd: elsewhere,
      env: { ...process.env, PATH: `${join(root, "node_modules/.bin")}:${process.env["PATH"] ?? ""}` },
      stdio: ["ignore", "pipe", "pipe"],
    })
    const pid = Number((await lineOf(pnpm, /^up /)).split(" ")[1])
    pnpm.kill("SIGTERM")
    await expect.poll(() => isAlive(pid), { timeout: 20_000 }).toBe(false)
  })
})

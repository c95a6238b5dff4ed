/**
 * `pnpm types:cost`: what the types of a large graph cost. Checks one app twice with vue-tsc, with a graph of two nodes and with
 * one of many that it uses in scripts and templates, alternately, and compares the processor time (wall time says how busy the
 * machine was). Exits 1 when the difference is over the bound of the design.
 */
import { spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { ExitCode, main, readOptions, table } from "./lib/cli.ts"
import { at } from "./lib/paths.ts"

const usage = `Usage: pnpm types:cost [--nodes N] [--runs N] [--json]

Prints the processor seconds vue-tsc needs for an app with a graph of two nodes and with one of N (default 200), the least
of some runs each (default 3), and the difference, which must not be over 2 s.
  --json  print {nodes, runs, empty: [s], graph: [s], difference, bound, ok} and nothing else`

/** The most the graph may add, in seconds. */
const boundSeconds = 2

/** Nodes one page uses with all options; an app has many pages, a check sees them all. */
const usedEvery = 4

/** A root and one child, so that pages have something to show: as empty as a graph that is used can be. */
const leastNodes = 2

const nodeText = (index: number): string => {
  const parent = index === 0 ? "" : `, parent: "n${Math.floor((index - 1) / 4)}", on: { parent_id: "id" }`
  const key = index === 0 ? "n0" : `n${index}-{parent_id}`
  return `    n${index}: { table: "t${index}"${parent}, key: "${key}" },`
}

const columns = `{ id: "uuid", parent_id: "uuid", name: "text", position: "int4", archived_at: "timestamptz?", ok: "bool" }`

const graphText = (nodes: number): string => {
  const all = Array.from({ length: nodes }, (_, index) => index)
  const tables = all.map((index) => `    t${index}: { columns: ${columns}, primaryKey: ["id"] },`)
  return [
    `import { Graph } from "@espalier/engine/graph"`,
    `export const graph = Graph.make({`,
    ...[
      `  name: "cost",`,
      `  tables: {`,
      ...tables,
      `  },`,
      `  nodes: {`,
      ...all.map(nodeText),
      `  },`,
      `})`,
      "",
    ],
  ].join("\n")
}

const setupText = `import { defineEspalier } from "@espalier/vue"
import type { graph } from "./graph.ts"
export const { useLease, useNode, useRows } = defineEspalier<typeof graph>()
`

const pageText = (node: number): string => `<script setup lang="ts">
import { useLease, useNode, useRows } from "./setup.ts"
const { rows, isEmpty } = useRows("n${node}", {
  bindings: { parent_id: "x" },
  where: { archived_at: null, name: () => "a" },
  orderBy: [["position", "desc"], "name"],
})
const state = useNode("n${node}", { bindings: { parent_id: "x" } })
useLease("n${node}", { parent_id: "x" })
</script>

<template>
  <p v-if="isEmpty">{{ state.rows }}</p>
  <p v-for="row in rows" :key="row.id">{{ row.name.toUpperCase() }} {{ row.position.toFixed(1) }}</p>
</template>
`

const tsconfig = (extendsFrom: string): string =>
  JSON.stringify({ extends: extendsFrom, include: ["./*.ts", "./*.vue"], exclude: [] })

/** Both apps have the same pages, because a page costs the same whatever its graph; the small graph's show its one child. */
const writeApp = (folder: string, nodes: number, pages: number): void => {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, "graph.ts"), graphText(nodes))
  writeFileSync(join(folder, "setup.ts"), setupText)
  writeFileSync(join(folder, "tsconfig.json"), tsconfig(at("packages/vue-bindings/tsconfig.json")))
  for (let page = 0; page < pages; page += 1) {
    const node = Math.min(1 + page * usedEvery, nodes - 1)
    writeFileSync(join(folder, `Page${page}.vue`), pageText(node))
  }
}

/** Tells the parent what the process cost, on a descriptor of its own. */
const tell = `data:text/javascript,${encodeURIComponent(
  `import{writeSync}from"node:fs";process.on("exit",()=>{const{user,system}=process.cpuUsage();writeSync(3,String((user+system)/1e6))})`,
)}`

const cpuSeconds = (folder: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const tool = at("packages/vue-bindings/node_modules/vue-tsc/bin/vue-tsc.js")
    const child = spawn(
      process.execPath,
      ["--import", tell, tool, "--noEmit", "-p", join(folder, "tsconfig.json")],
      {
        stdio: ["ignore", "pipe", "inherit", "pipe"],
      },
    )
    let [output, cost] = ["", ""]
    child.stdout?.on("data", (chunk: Buffer) => (output += chunk.toString()))
    child.stdio[3]?.on("data", (chunk: Buffer) => (cost += chunk.toString()))
    child.once("error", reject)
    child.once("close", (code) => {
      if (code === 0 && cost !== "") resolve(Number(cost))
      else reject(new Error(`vue-tsc ended with ${code}:\n${output}`))
    })
  })

const least = (seconds: ReadonlyArray<number>): number => Math.min(...seconds)
const rounded = (seconds: number): number => Math.round(seconds * 100) / 100

main(async () => {
  const options = readOptions(usage, {
    nodes: { type: "string" },
    runs: { type: "string" },
    json: { type: "boolean" },
  })
  const [nodes, runs] = [Number(options.nodes ?? 200), Number(options.runs ?? 3)]
  if (!Number.isSafeInteger(nodes) || nodes < leastNodes || !Number.isSafeInteger(runs) || runs < 1) {
    console.error(usage)
    return ExitCode.usage
  }
  mkdirSync(at("packages/vue-bindings/dist"), { recursive: true })
  const folder = mkdtempSync(at("packages/vue-bindings/dist/type-cost-"))
  try {
    const apps = { empty: join(folder, "empty"), graph: join(folder, "graph") }
    const pages = Math.ceil(nodes / usedEvery)
    writeApp(apps.empty, leastNodes, pages)
    writeApp(apps.graph, nodes, pages)
    const cost: { readonly empty: Array<number>; readonly graph: Array<number> } = { empty: [], graph: [] }
    for (let run = 0; run < runs; run += 1) {
      cost.empty.push(rounded(await cpuSeconds(apps.empty)))
      cost.graph.push(rounded(await cpuSeconds(apps.graph)))
    }
    const difference = rounded(least(cost.graph) - least(cost.empty))
    const ok = difference <= boundSeconds
    if (options.json === true)
      console.log(JSON.stringify({ nodes, runs, ...cost, difference, bound: boundSeconds, ok }))
    else {
      const rows = [
        ["a root and a child", cost.empty.join(" "), String(least(cost.empty))],
        [`${nodes} nodes`, cost.graph.join(" "), String(least(cost.graph))],
      ]
      console.log(table([["vue-tsc on", "processor seconds", "least"], ...rows]))
      console.log(`\nthe graph adds ${difference} s of at most ${boundSeconds} s`)
    }
    return ok ? 0 : ExitCode.failed
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

/** Serves the page of the panel's browser tests from memory, under a content security policy that allows no `eval`. */
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

const bundle = async (): Promise<string> => {
  const result = await build({
    entryPoints: [here("./panelPage.ts")],
    bundle: true,
    format: "esm",
    platform: "browser",
    write: false,
    logLevel: "silent",
    define: {
      "process.env.NODE_ENV": '"development"',
      __VUE_OPTIONS_API__: "false",
      __VUE_PROD_DEVTOOLS__: "false",
      __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "false",
    },
  })
  return result.outputFiles[0]?.text ?? ""
}

const html = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Panel</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<link rel="stylesheet" href="/panel.css">
<style>:root { color-scheme: light dark; background: Canvas; color: CanvasText; font: 14px sans-serif }</style>
</head><body><div id="app"></div><script type="module" src="/page.js"></script></body></html>`

export interface PanelSite {
  readonly url: string
  readonly close: () => Promise<void>
}

export const startPanelSite = async (): Promise<PanelSite> => {
  const files: Readonly<Record<string, readonly [type: string, text: string]>> = {
    "/": ["text/html", html],
    "/page.js": ["text/javascript", await bundle()],
    "/panel.css": ["text/css", readFileSync(here("../../src/panel/panel.css"), "utf8")],
    "/views.css": ["text/css", readFileSync(here("../../src/panel/views.css"), "utf8")],
  }
  const server = createServer((request, response) => {
    const [type, text] = files[request.url ?? ""] ?? ["text/plain", ""]
    response.writeHead(text === "" ? 404 : 200, {
      "content-type": `${type}; charset=utf-8`,
      "content-security-policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:",
    })
    response.end(text)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/**
 * The demo's build: a page without server rendering (its rows are in the browser), a small Nitro server beside it, and the
 * worker's own bundle served as it is. Plugin, worker, gateway route and PGlite's settings come from the module.
 */
import { fileURLToPath } from "node:url"

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** Nothing from elsewhere: the page works without a network and no code is made from text. */
const contentSecurityPolicy = [
  "default-src 'self'",
  // The inline scripts are Nuxt's start-up data and the theme, which must be known before the first paint.
  "script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join("; ")

export default defineNuxtConfig({
  compatibilityDate: "2026-11-01",
  telemetry: false,
  devtools: { enabled: false },
  ssr: false,
  modules: ["@espalier/vue/nuxt"],
  espalier: { graph: "~~/shared/graph", gateway: "~~/server/lib/shapesOf" },
  css: ["~/assets/tokens.css", "~/assets/base.css"],
  app: {
    head: {
      htmlAttrs: { lang: "en" },
      title: "Espalier",
      meta: [
        { name: "viewport", content: "width=device-width, initial-scale=1" },
        {
          name: "description",
          content: "A multi-company workspace whose rows live in a Postgres in your browser.",
        },
        { name: "color-scheme", content: "light dark" },
      ],
      link: [{ rel: "icon", type: "image/svg+xml", href: "/icon.svg" }],
      script: [
        {
          // Before the first paint, so that a chosen theme does not flash.
          innerHTML:
            "try{var t=localStorage.getItem('espalier-theme');if(t==='light'||t==='dark')document.documentElement.dataset.theme=t}catch(e){}",
        },
      ],
    },
  },
  spaLoadingTemplate: "spa-loading-template.html",
  // Explicit imports only for the server's own parts; pages and composables follow Nuxt's conventions.
  nitro: {
    esbuild: { options: { target: "es2024" } },
    serverAssets: [{ baseName: "db", dir: here("./db") }],
    routeRules: {
      "/**": {
        headers: {
          "content-security-policy": contentSecurityPolicy,
          "x-content-type-options": "nosniff",
          "referrer-policy": "same-origin",
        },
      },
    },
  },
  typescript: { strict: true },
})

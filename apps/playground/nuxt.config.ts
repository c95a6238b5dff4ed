/** The smallest app that uses everything of `@espalier/vue/nuxt`, with server rendering on; its tests build and drive it. */
export default defineNuxtConfig({
  compatibilityDate: "2026-11-01",
  telemetry: false,
  devtools: { enabled: false },
  modules: ["@espalier/vue/nuxt"],
  espalier: { graph: "~~/shared/graph", gateway: "~~/server/shapes" },
  nitro: { esbuild: { options: { target: "es2024" } } },
  typescript: { strict: true },
})

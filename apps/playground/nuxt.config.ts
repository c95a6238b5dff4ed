/** The smallest app that uses everything of `@espalier/vue/nuxt`, with server rendering on; its tests build and drive it. */
export default defineNuxtConfig({
  compatibilityDate: "2026-11-01",
  telemetry: false,
  devtools: { enabled: false },
  // #region espalier
  modules: ["@espalier/vue/nuxt"],
  espalier: { graph: "~~/shared/graph", gateway: "~~/server/shapes" },
  // #endregion
  nitro: { esbuild: { options: { target: "es2024" } } },
  typescript: { strict: true },
})

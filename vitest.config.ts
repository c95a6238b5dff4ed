/**
 * The three test projects: `unit` (fast, no process, no disk beyond the repository), `integration` (real PGlite, real
 * HTTP, child processes) and `e2e` (the demo in Chromium, one file at a time). `scripts/test.ts` runs them in order;
 * coverage is measured for the pure parts only, because those are the parts whose every branch can be reached cheaply.
 */
import { defineConfig } from "vitest/config"

const built = ["**/node_modules/**", "**/dist/**", "**/.nuxt/**", "**/.output/**", "**/.data/**"]
const integration = "**/*.integration.test.ts"
const e2e = "**/*.e2e.test.ts"
const prepareNuxt = "./test/support/prepareNuxt.ts"

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          environment: "node",
          include: ["packages/*/test/**/*.test.ts", "apps/*/test/**/*.test.ts", "test/**/*.test.ts"],
          exclude: [...built, integration, e2e],
          globalSetup: prepareNuxt,
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: "integration",
          environment: "node",
          include: [`packages/*/test/${integration}`, `apps/*/test/${integration}`, `test/${integration}`],
          exclude: built,
          globalSetup: prepareNuxt,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "e2e",
          environment: "node",
          include: [`packages/*/test/${e2e}`, `apps/*/e2e/${e2e}`, `test/${e2e}`],
          exclude: built,
          globalSetup: prepareNuxt,
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 240_000,
        },
      },
    ],
    coverage: {
      provider: "v8",
      reporter: ["json-summary"],
      reportsDirectory: "coverage",
      reportOnFailure: true,
      include: [
        "packages/engine/src/graph/**/*.ts",
        "packages/engine/src/protocol/**/*.ts",
        "packages/engine/src/machine/**/*.ts",
        "packages/gateway/src/authorize.ts",
      ],
    },
  },
})

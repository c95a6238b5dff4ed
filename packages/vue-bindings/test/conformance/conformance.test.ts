// @vitest-environment happy-dom
import { enableAutoUnmount } from "@vue/test-utils"
import { afterEach } from "vitest"
import { drivers } from "./drivers.ts"
import { conformsInPages } from "./suite.ts"

enableAutoUnmount(afterEach)

for (const driver of drivers) conformsInPages(driver)

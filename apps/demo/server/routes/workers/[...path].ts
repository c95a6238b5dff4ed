/**
 * A file of the worker's bundle that is not there (the bundle was not built): a plain 404. Nuxt would answer with the page, and a worker made
 * of HTML fails without saying why.
 */
import { setResponseHeader, setResponseStatus } from "h3"

export default defineEventHandler((event) => {
  setResponseStatus(event, 404)
  setResponseHeader(event, "content-type", "text/plain; charset=utf-8")
  return "Not found. Build the worker first: pnpm build:worker"
})

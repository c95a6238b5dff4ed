/**
 * Says why a worker did not start. The browser's own error event for a missing or wrong bundle carries no
 * message, so the address is asked again, by `HEAD`, and the answer is put into words. Used by `EngineClient`
 * when the worker errs.
 */
const howToBuild = "Build it with `pnpm build:worker` and serve packages/worker/dist/bundle at that address."

const javascriptType = /^(text|application)\/(x-)?(javascript|ecmascript)\b/i

/** One sentence about the worker's address, for the phase `failed`. Never rejects. */
export const describeWorkerFailure = async (url: string, detail: string): Promise<string> => {
  const start = `The worker at ${url} did not start`
  const words = detail === "" ? "" : ` It said: ${detail}`
  let response: Response
  try {
    response = await fetch(url, { method: "HEAD", cache: "no-store" })
  } catch (error) {
    return `${start}: the address cannot be reached (${error instanceof Error ? error.message : String(error)}). ${howToBuild}`
  }
  if (!response.ok) return `${start}: the server answered ${response.status}. ${howToBuild}`
  const type = response.headers.get("content-type") ?? "no content type"
  if (!javascriptType.test(type)) {
    return `${start}: the server answered with ${type} instead of JavaScript, so the bundle is probably missing. ${howToBuild}`
  }
  return `${start} although its file is there (content-security-policy, syntax, or an import left over).${words} ${howToBuild}`
}

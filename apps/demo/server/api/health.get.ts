/** Answers once the server can serve; used by scripts that wait for it. */
export default defineEventHandler(() => ({ status: "ok" }))

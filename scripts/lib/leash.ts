/**
 * Loaded into long-running children (`node --import leash.ts …`) by `child.ts`, never by hand. Ends the child when the
 * process that started it is gone: first as SIGTERM would, so that databases close, then by force.
 */
const lastResortMillis = 8_000

if (process.channel) {
  process.once("disconnect", () => {
    setTimeout(() => process.exit(1), lastResortMillis).unref()
    process.kill(process.pid, "SIGTERM")
  })
  // The channel must not keep a child alive that has nothing left to do.
  process.channel.unref()
}

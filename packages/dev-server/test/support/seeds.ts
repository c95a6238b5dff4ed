/** Which seeds a property runs, so that a failing one can be repeated: `ENGINE_SEED` picks the first, `ENGINE_RUNS` the number of runs. */
export const firstSeed = Number(process.env["ENGINE_SEED"] ?? "1")
export const runs = Number(process.env["ENGINE_RUNS"] ?? "12")

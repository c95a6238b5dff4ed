/** A thread of `pnpm sim`: runs its share of the seeds and posts the summary. Started by `sim.ts` only. */
import { parentPort, workerData } from "node:worker_threads"
import { type Job, runJob } from "./simJob.ts"

parentPort?.postMessage(await runJob(workerData as Job))
process.exit(0)

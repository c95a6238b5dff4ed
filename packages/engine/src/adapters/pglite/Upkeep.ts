/**
 * What PGlite never does by itself: CHECKPOINT, VACUUM and ANALYZE (PGlite reference §5). Exists so that the write-ahead log stays bounded,
 * dead rows are reused and plans fit the tables. Counts what commits did and says which statements are due: little by little while nobody
 * waits, and before the next operation where nobody ever pauses; never between rows and their acknowledgement. Pure but for its
 * counters; called by `transactions.ts`.
 */
import type { CommitResult } from "../../ports/LocalStore.ts"
import type { TablePlan } from "./sql.ts"

/** `idle`: nobody waits. `busy`: somebody does, and pays for it. */
export type Moment = "idle" | "busy"

/** When upkeep is due. */
export interface UpkeepLimits {
  /** Bytes sent to the database after which the log is checkpointed. Rows, provenance and indexes make about three times as much log. */
  readonly checkpointBytes: number
  /** Fewer dead rows in a table are never worth a VACUUM. */
  readonly vacuumFewestRows: number
  /** Dead rows by rows held from which a table is vacuumed. */
  readonly vacuumShare: number
  /** Fewer changed rows in a table are never worth an ANALYZE. */
  readonly analyzeFewestRows: number
  /** Changed rows, by rows held at the last time, from which a table is analysed. */
  readonly analyzeShare: number
}

export const upkeepLimits: Readonly<Record<Moment, UpkeepLimits>> = {
  idle: {
    checkpointBytes: 8 * 1024 * 1024,
    vacuumFewestRows: 2_000,
    vacuumShare: 0.2,
    analyzeFewestRows: 5_000,
    // Plans need the order of magnitude; a growing table is analysed each time it has trebled.
    analyzeShare: 2,
  },
  busy: {
    // Keeps the log near 64 MB.
    checkpointBytes: 20 * 1024 * 1024,
    vacuumFewestRows: 20_000,
    vacuumShare: 1,
    // Our own statements are planned by key whatever the statistics say; the app's wait for the end of a long load.
    analyzeFewestRows: 200_000,
    analyzeShare: 10,
  },
}

/** Milliseconds without an operation after which nobody is taken to wait. */
export const quietMillis = 50

/** A tenth of Postgres's default: it reads 3,000 rows and not 30,000, which is what a plan by key needs. */
const statisticsTarget = 10

interface TableCount {
  live: number
  dead: number
  changed: number
  /** Rows held when the table was last analysed. */
  analysed: number
}

export class Upkeep {
  readonly #limits: Readonly<Record<Moment, UpkeepLimits>>
  readonly #tables = new Map<string, TableCount>()
  #bytes = 0

  constructor(limits: Readonly<Record<Moment, UpkeepLimits>> = upkeepLimits) {
    this.#limits = limits
  }

  /** Takes in what an instance holds in a table when the store opens. */
  holds(table: string, rows: number): void {
    const live = (this.#tables.get(table)?.live ?? 0) + rows
    this.#tables.set(table, { live, dead: 0, changed: 0, analysed: live })
  }

  /** Takes in what a commit did, and how many bytes it sent. */
  note(changes: CommitResult["changes"], bytes: number): void {
    this.#bytes += bytes
    for (const table in changes) {
      const { deleted = 0, inserted = 0, updated = 0 } = changes[table] ?? {}
      const count = this.#tables.get(table) ?? { live: 0, dead: 0, changed: 0, analysed: 0 }
      count.live = Math.max(0, count.live + inserted - deleted)
      count.dead += updated + deleted
      count.changed += inserted + updated + deleted
      this.#tables.set(table, count)
    }
  }

  /** Something is due at such a moment. */
  isDue(moment: Moment): boolean {
    const limits = this.#limits[moment]
    if (this.#bytes >= limits.checkpointBytes) return true
    for (const count of this.#tables.values()) {
      if (isVacuumDue(count, limits) || isAnalyzeDue(count, limits)) return true
    }
    return false
  }

  /** The statements that are due at such a moment, each to be run alone; they count as done. */
  due(plans: ReadonlyMap<string, TablePlan>, moment: Moment): ReadonlyArray<string> {
    const limits = this.#limits[moment]
    const statements: Array<string> = []
    for (const [table, count] of this.#tables) {
      const plan = plans.get(table)
      if (plan === undefined) continue
      const { dead, live } = count
      if (isVacuumDue(count, limits)) {
        statements.push(`vacuum ${plan.app}, ${plan.held}, ${plan.stage}`, analyze(plan))
        this.#tables.set(table, { live, dead: 0, changed: 0, analysed: live })
      } else if (isAnalyzeDue(count, limits)) {
        statements.push(analyze(plan))
        this.#tables.set(table, { live, dead, changed: 0, analysed: live })
      }
    }
    if (this.#bytes >= limits.checkpointBytes) {
      statements.push("checkpoint")
      this.#bytes = 0
    }
    return statements
  }
}

const isVacuumDue = ({ dead, live }: TableCount, limits: UpkeepLimits): boolean =>
  dead >= Math.max(limits.vacuumFewestRows, live * limits.vacuumShare)

const isAnalyzeDue = ({ analysed, changed }: TableCount, limits: UpkeepLimits): boolean =>
  changed >= Math.max(limits.analyzeFewestRows, analysed * limits.analyzeShare)

const analyze = ({ app, held }: TablePlan): string =>
  `begin; set local default_statistics_target = ${statisticsTarget}; analyze ${app}, ${held}; commit`

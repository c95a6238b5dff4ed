/**
 * Virtual time for whole-engine simulations: a clock, and the scheduler every fiber runs on. Exists because a run must be the same
 * run on every machine, and because waiting for the event loop between two virtual milliseconds would cost more than the
 * engine's own work. Nothing here reads the real clock.
 *
 * Time moves only when nothing can run and no operation of the outside world (a real database) is under way; so a run on the
 * memory store is one synchronous computation. The clock has the methods of Effect's `TestClock`: `TestClock.adjust` works.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { Scheduler, type Scheduler as SchedulerShape } from "effect/Scheduler"
import type { SimTime } from "./simTime.ts"

/** Virtual runs begin here (epoch milliseconds), so that no age is ever mistaken for "never". */
export const virtualStartMillis = 1_000_000_000_000

interface Timer {
  readonly at: number
  readonly order: number
  readonly wake: () => void
}

type Task = () => void

export class VirtualTime implements SimTime {
  #now = virtualStartMillis
  #order = 0
  /** Latest first, so that the earliest is popped. */
  readonly #timers: Array<Timer> = []
  readonly #adjusting: Array<Timer> = []
  #tasks = new Map<number, Array<Task>>()
  #held = 0
  /** Milliseconds the clock jumped over. */
  jumped = 0
  #stirred: (() => void) | null = null

  /** Epoch milliseconds of virtual time. */
  get now(): number {
    return this.#now
  }

  /** When virtual runs begin. */
  readonly startMillis = virtualStartMillis

  /** Sleeps that nobody has ended: none may be left when everything is shut. */
  get sleeping(): number {
    return this.#timers.length
  }

  readonly clock = makeClock(this)

  readonly scheduler: SchedulerShape = {
    executionMode: "async",
    shouldYield: (fiber) => fiber.currentOpCount >= fiber.cache.maxOpsBeforeYield,
    makeDispatcher: () => ({
      scheduleTask: (task, priority) => this.#schedule(task, priority),
      flush: () => this.#drain(),
    }),
  }

  /** Wakes after so many milliseconds; the returned function cancels. */
  after(millis: number, wake: () => void): () => void {
    return insert(this.#timers, { at: this.#now + millis, order: this.#order++, wake })
  }

  /** Lets virtual time pass, with everything that falls into it, then goes on. */
  adjust(millis: number): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const wake = (): void => resume(Effect.void)
      return Effect.sync(insert(this.#adjusting, { at: this.#now + millis, order: this.#order++, wake }))
    })
  }

  /** The machine slept: time is later at once, and everything that fell due meanwhile is late. */
  jump(millis: number): Effect.Effect<void> {
    return Effect.andThen(
      Effect.sync(() => {
        this.#now += millis
        this.jumped += millis
      }),
      this.adjust(0),
    )
  }

  /** Holds time still while a real operation runs. */
  readonly outside = <A, E, R>(operation: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        this.#held++
      }),
      () => operation,
      () =>
        Effect.sync(() => {
          this.#held--
          this.#stir()
        }),
    )

  /** Runs an effect in virtual time to its end. Fails when it waits for something that time alone cannot bring. */
  async run<A, E>(effect: Effect.Effect<A, E>): Promise<Exit.Exit<A, E>> {
    const exit: { value: Exit.Exit<A, E> | null } = { value: null }
    const fiber = Effect.runFork(
      effect.pipe(
        Effect.provideService(Clock.Clock, this.clock),
        Effect.provideService(Scheduler, this.scheduler),
      ),
      { scheduler: this.scheduler },
    )
    fiber.addObserver((ended) => {
      exit.value = ended
    })
    for (;;) {
      const state = this.#spin(() => exit.value !== null)
      if (exit.value !== null) return exit.value
      if (state === "stuck") {
        await Effect.runPromise(Effect.asVoid(Fiber.interrupt(fiber).pipe(Effect.timeoutOption(0))))
        return Exit.failCause(Cause.die(new Error("the simulation waits for what time alone cannot bring")))
      }
      await new Promise<void>((resolve) => {
        this.#stirred = resolve
        if (this.#held === 0) resolve()
      })
      this.#stirred = null
    }
  }

  #schedule(task: Task, priority: number): void {
    const bucket = this.#tasks.get(priority)
    if (bucket === undefined) this.#tasks.set(priority, [task])
    else bucket.push(task)
    this.#stir()
  }

  #stir(): void {
    this.#stirred?.()
  }

  /** Runs every task, and the tasks they make, most urgent first within a round. */
  #drain(): void {
    while (this.#tasks.size > 0) {
      const round = this.#tasks
      this.#tasks = new Map()
      const priorities = round.size === 1 ? [...round.keys()] : [...round.keys()].toSorted((a, b) => a - b)
      for (const priority of priorities) for (const task of round.get(priority) ?? []) task()
    }
  }

  #spin(isDone: () => boolean): "done" | "held" | "stuck" {
    for (;;) {
      this.#drain()
      if (isDone()) return "done"
      if (this.#held > 0) return "held"
      const until = this.#adjusting.at(-1)
      if (until === undefined) return "stuck"
      const timer = this.#timers.at(-1)
      const due = timer !== undefined && timer.at <= until.at ? timer : until
      if (due === until) this.#adjusting.pop()
      else this.#timers.pop()
      this.#now = Math.max(this.#now, due.at)
      due.wake()
    }
  }
}

/** Adds a timer in its place: the earliest last, equal ones in order of registration. Returns its removal. */
const insert = (timers: Array<Timer>, timer: Timer): (() => void) => {
  let low = 0
  let high = timers.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((timers[middle]?.at ?? 0) > timer.at) low = middle + 1
    else high = middle
  }
  timers.splice(low, 0, timer)
  return () => {
    const index = timers.indexOf(timer)
    if (index !== -1) timers.splice(index, 1)
  }
}

const nanosPerMilli = 1_000_000n

const makeClock = (time: VirtualTime) => {
  const nanos = (): bigint => BigInt(Math.trunc(time.now)) * nanosPerMilli
  return {
    currentTimeMillisUnsafe: () => time.now,
    currentTimeMillis: Effect.sync(() => time.now),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: nanos,
    monotonicTimeNanos: Effect.sync(nanos),
    sleep: (duration: Duration.Duration): Effect.Effect<void> =>
      Effect.callback<void>((resume) => {
        const millis = Duration.toMillis(duration)
        if (millis <= 0) {
          resume(Effect.void)
          return
        }
        return Effect.sync(time.after(millis, () => resume(Effect.void)))
      }),
    adjust: (duration: Duration.Input): Effect.Effect<void> =>
      time.adjust(Duration.toMillis(Duration.fromInputUnsafe(duration))),
    setTime: (timestamp: number): Effect.Effect<void> => time.adjust(timestamp - time.now),
    withLive: <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => effect,
  }
}

/**
 * What rules said a moment ago. Exists because an engine asks again and again for the same instances, and a rule may ask a database. Only
 * a yes is remembered, briefly and boundedly; `forget` is how `revoke` takes it back. Called by the handler only.
 */
import type { GatewayIdentity } from "./Rules.ts"

/** What a decision is about. */
export interface Question {
  readonly identity: GatewayIdentity
  readonly node: string
  /** Canonical binding values by name. */
  readonly bindings: Readonly<Record<string, string>>
}

/** Which callers, nodes and bindings a revocation is about: everything that is named must match. */
export interface RevokeTarget {
  /** `identity.subject` of the callers. */
  readonly subject?: string
  /** Values of identity params, such as `{ userId }`. */
  readonly params?: Readonly<Record<string, string>>
  readonly node?: string
  /** Binding values in canonical spelling, such as `{ company_id }`. */
  readonly bindings?: Readonly<Record<string, string>>
}

const includes = (
  all: Readonly<Record<string, string>>,
  some: Readonly<Record<string, string>> | undefined,
): boolean =>
  Object.entries(some ?? {}).every(([name, value]) => Object.hasOwn(all, name) && all[name] === value)

/** Whether a target means a question. An empty target means every question. */
export const means = (target: RevokeTarget, { bindings, identity, node }: Question): boolean =>
  (target.subject === undefined || target.subject === identity.subject) &&
  (target.node === undefined || target.node === node) &&
  includes(identity.params, target.params) &&
  includes(bindings, target.bindings)

/** Keys in order, values as they are: equal for equal identities, whoever made them. Null when it cannot be told. */
const canonical = (value: unknown): string | null => {
  try {
    return JSON.stringify(value, (_key, part: unknown) => {
      if (typeof part === "bigint") return `${part}n`
      // A Map, a Set or an instance would be spelt "{}" and pass for its equal.
      if (typeof part === "function" || typeof part === "symbol") throw new TypeError("not plain")
      if (typeof part !== "object" || part === null || Array.isArray(part)) return part
      const prototype: unknown = Object.getPrototypeOf(part)
      if (prototype !== Object.prototype && prototype !== null) throw new TypeError("not plain")
      return Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
    })
  } catch {
    return null
  }
}

/** The caller's name for limits: what the app says, or what the shapes depend on. */
export const subjectOf = (identity: GatewayIdentity): string =>
  identity.subject ?? canonical(identity.params) ?? ""

interface Remembered {
  readonly question: Question
  readonly until: number
}

/** Decisions remembered at most. */
export const maxDecisions = 10_000

/** Remembered yeses, and questions that are being asked. One per gateway. */
export class Decisions {
  readonly #millis: number
  readonly #now: () => number
  readonly #yes = new Map<string, Remembered>()
  readonly #asking = new Map<string, Promise<boolean>>()
  #generation = 0

  /** @param millis how long a yes holds; 0 remembers nothing and asks for every request */
  constructor(millis: number, now: () => number) {
    this.#millis = millis
    this.#now = now
  }

  /**
   * The answer to a question: remembered, or just being asked for another request, or asked now. A question that was begun before a
   * `forget` is neither joined nor remembered after it.
   */
  async decide(question: Question, ask: () => boolean | Promise<boolean>): Promise<boolean> {
    const key = this.#millis === 0 ? null : canonical([question.node, question.bindings, question.identity])
    if (key === null) return (await ask()) === true
    const found = this.#yes.get(key)
    if (found !== undefined && this.#now() < found.until) return true
    const asking = this.#asking.get(key) ?? this.#ask(key, question, ask)
    return asking
  }

  #ask(key: string, question: Question, ask: () => boolean | Promise<boolean>): Promise<boolean> {
    const generation = this.#generation
    const asked = (async () => (await ask()) === true)()
    this.#asking.set(key, asked)
    const settled = (yes: boolean): void => {
      if (this.#asking.get(key) === asked) this.#asking.delete(key)
      if (yes && generation === this.#generation) this.#remember(key, question)
    }
    asked.then(settled, () => settled(false))
    return asked
  }

  #remember(key: string, question: Question): void {
    this.#yes.delete(key)
    this.#yes.set(key, { question, until: this.#now() + this.#millis })
    if (this.#yes.size <= maxDecisions) return
    for (const oldest of this.#yes.keys()) {
      this.#yes.delete(oldest)
      return
    }
  }

  forget(target: RevokeTarget): void {
    this.#generation += 1
    this.#asking.clear()
    for (const [key, { question }] of this.#yes) if (means(target, question)) this.#yes.delete(key)
  }
}

/**
 * The graph's parameters as this tab knows them: the settings' until a leader says otherwise, then always the newest it heard. What
 * was heard is brought to the next leader. Used by `LeaderLink` only.
 */
import type { ChosenParams } from "../protocol.ts"
import { Listeners } from "./Listeners.ts"

type Params = Readonly<Record<string, string>>

export class FollowedParams {
  readonly changes = new Listeners<Params>()
  #values: Params
  #heard: ChosenParams | null = null

  constructor(values: Params) {
    this.#values = values
  }

  get values(): Params {
    return this.#values
  }

  /** What a hello says of them: nothing before a leader was met. */
  get greeting(): { readonly chosen?: ChosenParams } {
    return this.#heard === null ? {} : { chosen: this.#heard }
  }

  /** A leader that has not yet been told what held before says something older: that is no news. */
  follow(chosen: ChosenParams): void {
    if (this.#heard !== null && chosen.revision <= this.#heard.revision) return
    this.#heard = chosen
    const before = this.#values
    this.#values = { ...before, ...chosen.values }
    if (Object.entries(chosen.values).some(([name, value]) => before[name] !== value))
      this.changes.emit(this.#values)
  }
}

/** What a browser test may do to the page of `panelPage.ts`. */
import type { LoadOrder } from "./loadWorker.ts"

export interface SceneControls {
  /** Makes so many instances change state so often for so long; settles with the last status. */
  readonly run: (order: LoadOrder) => Promise<void>
  readonly play: () => void
  /** Settles when the panel has had time to follow to the last status. */
  readonly settled: () => Promise<void>
}

declare global {
  interface Window {
    scene: SceneControls
  }
}

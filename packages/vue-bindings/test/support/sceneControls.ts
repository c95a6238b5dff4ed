/** What a browser test may do to the page of `panelPage.ts`. */
export interface SceneControls {
  /** Turns so many instances by one tick, and so on, at this pace; settles after the last status. */
  readonly run: (options: { count: number; ticks: number; everyMillis: number }) => Promise<void>
  readonly play: () => void
  /** Settles when the panel has had time to follow to the last status. */
  readonly settled: () => Promise<void>
}

declare global {
  interface Window {
    scene: SceneControls
  }
}

/** A counter per app that rows raise when they render. Not reactive: reading it must not cause what it counts. */
export default defineNuxtPlugin(() => ({ provide: { renders: { count: 0 } } }))

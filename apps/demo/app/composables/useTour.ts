/**
 * Walks through the tour: breaks what the step says, looks at the engine until it sees the damage, and then until it sees it
 * mended. A step that is left is mended first, so that nobody stays with a broken server.
 */
import { httpFaults, useEspalier, useSyncStatus } from "@espalier/vue"
import { messageOf, sendRoute } from "../utils/problem"
import { tourSteps, type TourHands, type TourStart, type TourView } from "../utils/tour"

export type TourStage = "ready" | "breaking" | "broken" | "mending" | "mended"

/** How often the tour looks, in milliseconds. */
const lookMillis = 200

const emptyView: TourView = {
  state: "idle",
  isReady: false,
  companies: [],
  folders: 0,
  journal: [],
  requests: [],
}
const noStart: TourStart = { companies: [], folders: 0, fewestFolders: 0 }

/** What the engine says now, of what happened after a moment. */
const useLook = () => {
  const espalier = useEspalier()
  const { state, phase } = useSyncStatus()
  const look = async (since: number): Promise<TourView> => {
    const client = espalier.client.value
    if (client === null || phase.value?.phase !== "ready") return { ...emptyView, state: state.value }
    const [[counts], journal, requests] = await Promise.all([
      client.query<{ companies: ReadonlyArray<string>; folders: number }>(
        `select coalesce((select array_agg(id::text order by name, id) from companies), '{}') as companies,
                (select count(*)::int4 from folders) as folders`,
      ),
      client.call("journal"),
      client.call("requests"),
    ])
    return {
      state: state.value,
      isReady: phase.value?.phase === "ready",
      companies: counts?.companies ?? [],
      folders: counts?.folders ?? 0,
      journal: journal.filter(({ at }) => at >= since),
      requests: requests.filter(({ startedAt }) => startedAt >= since),
    }
  }
  const retryAll = async (): Promise<void> => {
    const client = espalier.client.value
    if (client === null) return
    const keys = Object.keys(espalier.status.value?.instances ?? {})
    await Promise.all(keys.map((key) => client.call("retry", key)))
  }
  return { look, retryAll }
}

export const useTour = () => {
  const session = useSession()
  const { look, retryAll } = useLook()
  const faults = httpFaults({ url: "/api/server/faults" })
  const hands: TourHands = {
    faults,
    retryAll,
    restart: session.restart,
    send: async (method, path, body) => (await sendRoute(method, `/api/server${path}`, body)).body,
  }
  const index = ref(0)
  const stage = ref<TourStage>("ready")
  const problem = ref<string | null>(null)
  const view = shallowRef<TourView>(emptyView)
  const start = shallowRef<TourStart>(noStart)
  const step = computed(() => tourSteps[index.value] ?? tourSteps[0]!)
  let since = 0

  /** Does something that may fail; a failure is shown and leaves the stage as `otherwise`. */
  const act = async (during: TourStage, run: () => Promise<void>, otherwise: TourStage): Promise<void> => {
    problem.value = null
    stage.value = during
    try {
      await run()
    } catch (cause) {
      problem.value = messageOf(cause)
      stage.value = otherwise
    }
  }
  const breakIt = (): Promise<void> =>
    act(
      "breaking",
      async () => {
        since = Date.now()
        const now = await look(since)
        start.value = { companies: now.companies, folders: now.folders, fewestFolders: now.folders }
        await step.value.break(hands, start.value)
      },
      "ready",
    )
  const mend = (): Promise<void> =>
    act("mending", () => step.value.mend?.run(hands, start.value) ?? Promise.resolve(), "broken")

  const judge = (): void => {
    const now = view.value
    start.value = {
      ...start.value,
      fewestFolders: Math.min(start.value.fewestFolders, now.isReady ? now.folders : Infinity),
    }
    if (stage.value === "breaking" && step.value.isBroken(now, start.value)) stage.value = "broken"
    const isMending = stage.value === "mending" || (stage.value === "broken" && step.value.mend === null)
    if (isMending && step.value.isMended(now, start.value)) stage.value = "mended"
  }
  let timer: ReturnType<typeof setTimeout> | null = null
  let isOver = false
  const follow = async (): Promise<void> => {
    try {
      const now = await look(since)
      if (!isOver) {
        view.value = now
        judge()
      }
    } catch (cause) {
      // While the worker is exchanged nobody answers; anything that lasts shows in the stage, which then does not move on.
      if (stage.value === "ready" && !isOver) problem.value = messageOf(cause)
    }
    if (!isOver) timer = setTimeout(() => void follow(), lookMillis)
  }
  onMounted(() => void follow())
  onScopeDispose(() => {
    isOver = true
    if (timer !== null) clearTimeout(timer)
  })

  /** Leaves the step, mending what it broke. */
  const goTo = async (next: number): Promise<void> => {
    if (stage.value === "broken" || stage.value === "breaking") await mend()
    index.value = Math.max(0, Math.min(next, tourSteps.length - 1))
    stage.value = "ready"
    problem.value = null
  }
  const leave = async (): Promise<void> => {
    if (stage.value === "broken" || stage.value === "breaking") await mend()
  }
  return { index, step, stage, problem, view, start, breakIt, mend, goTo, leave }
}

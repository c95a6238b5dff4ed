/**
 * The guided tour as data: four things that go wrong, how each is done, by what the page knows that it happened and by what that it is
 * mended. Nothing here is staged: each step breaks the real server or the real worker, and only looks at what the engine says.
 */
import type { JournalEntry, RequestEntry } from "@espalier/engine/protocol"
import type { FaultControl } from "@espalier/vue"

/** What the tour can see; read anew a few times a second. */
export interface TourView {
  /** The graph's roll-up. */
  readonly state: string
  /** Whether a host serves this tab now. */
  readonly isReady: boolean
  /** Rows of each local table the tour looks at. */
  readonly companies: ReadonlyArray<string>
  readonly folders: number
  /** What the engine wrote down since the step began. */
  readonly journal: ReadonlyArray<JournalEntry>
  readonly requests: ReadonlyArray<RequestEntry>
}

/** What the tour can do. */
export interface TourHands {
  readonly faults: FaultControl
  readonly send: (method: string, path: string, body?: unknown) => Promise<unknown>
  readonly retryAll: () => Promise<void>
  readonly restart: () => Promise<void>
}

/** What was so when a step began. */
export interface TourStart {
  readonly companies: ReadonlyArray<string>
  readonly folders: number
  /** The fewest folders readable since then. */
  readonly fewestFolders: number
}

export interface TourStep {
  readonly id: "offline" | "conflict" | "revoked" | "leader"
  readonly title: string
  readonly what: string
  readonly breakIt: string
  readonly break: (hands: TourHands, start: TourStart) => Promise<void>
  readonly isBroken: (view: TourView, start: TourStart) => boolean
  /** What to see while it is broken. */
  readonly broken: (view: TourView, start: TourStart) => string
  /** Null: the engine needs no help. */
  readonly mend: {
    readonly label: string
    readonly run: (hands: TourHands, start: TourStart) => Promise<void>
  } | null
  readonly isMended: (view: TourView, start: TourStart) => boolean
  readonly mended: (view: TourView, start: TourStart) => string
}

const count = (many: number, one: string, more = `${one}s`): string =>
  `${many.toLocaleString("en")} ${many === 1 ? one : more}`

/** The server voided a handle: the journal says so by this word's end. */
const isRefetch = ({ event }: JournalEntry): boolean => event.endsWith("-refetch")

const isSettled = (view: TourView): boolean => view.isReady && view.state === "live"

/** Requests that asked for a shape from its start, and so for all of its rows. */
const fromTheStart = (view: TourView): number =>
  view.requests.filter(({ phase }) => phase === "initial").length

export const tourSteps: ReadonlyArray<TourStep> = [
  {
    id: "offline",
    title: "The line is cut",
    what: "The sync server drops every connection. Everything on this device stays readable, and the page says how old it is.",
    breakIt: "Cut the line",
    break: ({ faults }) => faults.add({ kind: "drop" }),
    isBroken: (view) => view.state !== "live" && view.state !== "loading",
    broken: (view) =>
      `The graph is ${view.state}. Still here: ${count(view.companies.length, "company", "companies")}, ${count(view.folders, "folder")}.`,
    mend: {
      label: "Mend the line",
      run: async ({ faults, retryAll }) => {
        await faults.clear()
        await retryAll()
      },
    },
    isMended: isSettled,
    mended: (view) => `Live again, ${count(fromTheStart(view), "shape")} fetched from the start.`,
  },
  {
    id: "conflict",
    title: "A handle is void",
    what: "The server answers one request for folders with 409: that log is gone, start anew. The old rows stay readable until the new ones take their place in one commit.",
    breakIt: "Answer 409",
    break: ({ faults }) => faults.add({ kind: "status", status: 409, times: 1, table: "folders" }),
    isBroken: (view) => view.journal.some(isRefetch),
    broken: (view) => `Fetching anew beside the old rows: ${count(view.folders, "folder")} readable.`,
    mend: null,
    isMended: (view) => view.journal.some(isRefetch) && isSettled(view),
    mended: (view, start) =>
      `Swapped in one commit. Never fewer than ${count(start.fewestFolders, "folder")} of ${start.folders.toLocaleString("en")} were readable.`,
  },
  {
    id: "revoked",
    title: "A membership is revoked",
    what: "Somebody takes you out of a company. It goes from this device with everything in it, and comes back when you are let in again.",
    breakIt: "Revoke my membership",
    break: async ({ send }, { companies }) => {
      await send("DELETE", `/memberships/${companies[0] ?? ""}`)
    },
    isBroken: (view, { companies }) => view.isReady && !view.companies.includes(companies[0] ?? ""),
    broken: (view, start) =>
      `Gone: 1 company and ${count(Math.max(0, start.folders - view.folders), "folder")}. ${count(view.companies.length, "company", "companies")} left.`,
    mend: {
      label: "Let me in again",
      run: async ({ send }, { companies }) => {
        await send("POST", "/memberships", { companyId: companies[0] ?? "" })
      },
    },
    isMended: (view, start) =>
      view.companies.includes(start.companies[0] ?? "") && view.folders >= start.folders && isSettled(view),
    mended: (view) =>
      `Back: ${count(view.companies.length, "company", "companies")}, ${count(view.folders, "folder")}.`,
  },
  {
    id: "leader",
    title: "The leader is killed",
    what: "The worker that runs the database and the engine is ended in the middle of its work. Another one starts from what was committed.",
    breakIt: "Kill the worker",
    break: ({ restart }) => restart(),
    isBroken: (view) => !view.isReady || view.state !== "live" || view.requests.length > 0,
    broken: () => "A new worker opens the database and reads its checkpoints.",
    mend: null,
    isMended: (view, start) => isSettled(view) && view.folders >= start.folders,
    mended: (view) =>
      `Live again after ${count(view.requests.length, "request")}, ${count(fromTheStart(view), "shape")} fetched from the start: it went on where the other one was.`,
  },
]

/**
 * What the drawer knows and does: the server's own view of its companies, and one function that calls an endpoint, logs it and looks
 * again. It never touches the local database; that is the point of it.
 */
import { callRoute, messageOf, RouteError, sendRoute } from "../utils/problem"

export interface ServerCompany {
  readonly id: string
  readonly name: string
  readonly memberIds: ReadonlyArray<string>
}

interface ServerPerson {
  readonly id: string
  readonly userId: string
  readonly name: string
}

export interface ServerGroup {
  readonly id: string
  readonly name: string
  readonly members: ReadonlyArray<ServerPerson>
}

export interface ServerCompanyDetail {
  readonly id: string
  readonly name: string
  readonly members: ReadonlyArray<ServerPerson & { readonly role: string }>
  readonly groups: ReadonlyArray<ServerGroup>
  readonly workspaces: ReadonlyArray<{
    readonly id: string
    readonly name: string
    readonly folderCount: number
    readonly folders: ReadonlyArray<{ readonly id: string; readonly name: string }>
  }>
}

export interface LogEntry {
  readonly id: number
  readonly method: string
  readonly path: string
  readonly status: number
  readonly millis: number
}

/** Requests kept in the drawer's log. */
const logLength = 20

export const useServerSide = () => {
  const userId = useUserId()
  const companies = shallowRef<ReadonlyArray<ServerCompany>>([])
  const company = shallowRef<ServerCompanyDetail | null>(null)
  const people = shallowRef<ReadonlyArray<{ readonly id: string; readonly name: string }>>([])
  const log = shallowRef<ReadonlyArray<LogEntry>>([])
  const busy = ref(false)
  const problem = ref<string | null>(null)
  const loadError = ref<string | null>(null)

  /** Reads the company to show: the one asked for, else the one shown before, else the first. */
  const read = async (companyId: string | undefined): Promise<void> => {
    const [list, everybody] = await Promise.all([
      callRoute<{ readonly companies: ReadonlyArray<ServerCompany> }>("GET", "/api/server/companies"),
      callRoute<{ readonly people: ReadonlyArray<{ readonly id: string; readonly name: string }> }>(
        "GET",
        "/api/people",
      ),
    ])
    companies.value = list.companies
    people.value = everybody.people
    const wanted = [companyId, company.value?.id].find((id) => list.companies.some((each) => each.id === id))
    const id = wanted ?? list.companies[0]?.id
    company.value =
      id === undefined ? null : await callRoute<ServerCompanyDetail>("GET", `/api/server/companies/${id}`)
  }
  const load = async (companyId?: string): Promise<void> => {
    loadError.value = null
    try {
      await read(companyId)
    } catch (cause) {
      loadError.value = messageOf(cause)
    }
  }
  const record = (entry: Omit<LogEntry, "id">): void => {
    log.value = [{ ...entry, id: (log.value[0]?.id ?? 0) + 1 }, ...log.value].slice(0, logLength)
  }
  /** Calls an endpoint below `/api/server`, then reads the server's view again. A refusal is shown, not thrown. */
  const run = async (method: string, path: string, body?: unknown): Promise<void> => {
    busy.value = true
    problem.value = null
    const started = performance.now()
    const millis = (): number => Math.round(performance.now() - started)
    try {
      const { status } = await sendRoute(method, `/api/server${path}`, body)
      record({ method, path, status, millis: millis() })
    } catch (cause) {
      record({ method, path, status: cause instanceof RouteError ? cause.status : 0, millis: millis() })
      problem.value = messageOf(cause)
    } finally {
      busy.value = false
    }
    await load(company.value?.id)
  }
  const toggleInGroup = async (group: ServerGroup, member: string): Promise<void> => {
    const found = group.members.find((one) => one.userId === member)
    if (found === undefined) await run("POST", `/groups/${group.id}/members`, { userId: member })
    else await run("DELETE", `/group-members/${found.id}`)
  }
  return {
    companies,
    company,
    people,
    me: computed(() => userId.value ?? ""),
    log,
    busy: readonly(busy),
    problem: readonly(problem),
    loadError: readonly(loadError),
    load,
    pick: load,
    run,
    toggleInGroup,
  }
}

/** What {@link useServerSide} returns. */
export type ServerSide = ReturnType<typeof useServerSide>

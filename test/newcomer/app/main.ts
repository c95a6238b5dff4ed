/** A newcomer's page: local rows and the state of the sync, without a framework. */
import { createEngineClient } from "@espalier/worker/client"
import { graph } from "./graph.ts"

const user = /(?:^|; )user=(\w+)/.exec(document.cookie)?.[1] ?? "amara"
document.cookie = `user=${user}; path=/`

const client = createEngineClient({
  name: `tracker-${user}`,
  dataDir: `idb://tracker-${user}`,
  graph,
  params: { userId: user },
  source: { kind: "gateway", url: "/v1/shape" },
  workerUrl: "/workers/pglite.bundle.js",
})

const show = (id: string, text: string): void => {
  const element = document.getElementById(id)
  if (element !== null) element.textContent = text
}

const refresh = async (): Promise<void> => {
  const rows = await client.query<{ line: string }>(
    `select p.name || ': ' || i.title || coalesce(' (' || c.body || ')', '') as line
       from projects p join issues i on i.project_id = p.id left join comments c on c.issue_id = i.id order by i.id`,
  )
  show("rows", rows.map(({ line }) => line).join("\n"))
}

client.onPhase((phase) => show("phase", JSON.stringify(phase)))
client.onStatus((status) => show("state", status.state))
client.onCommit(() => void refresh())

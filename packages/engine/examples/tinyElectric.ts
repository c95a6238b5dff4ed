/**
 * A shape server in forty lines, in the process of the example: fixed rows, one snapshot per shape, silent long polls. It
 * exists so that the examples run anywhere; a real one is Electric behind the gateway, or `pnpm dev-server`.
 */
const rows: Readonly<Record<string, ReadonlyArray<Readonly<Record<string, string>>>>> = {
  seats: [
    { id: "s1", team_id: "red", user_id: "ada" },
    { id: "s2", team_id: "blue", user_id: "ada" },
  ],
  teams: [
    { id: "red", name: "Red" },
    { id: "blue", name: "Blue" },
  ],
  notes: [
    { id: "n1", team_id: "red", text: "Water the pears" },
    { id: "n2", team_id: "red", text: "Tie the apples" },
    { id: "n3", team_id: "blue", text: "Prune the figs" },
  ],
}

/** The rows a definition selects: `column = $1` and nothing else. */
const select = (query: URLSearchParams): ReadonlyArray<Readonly<Record<string, string>>> => {
  const column = /^\W*(\w+)\W*=/.exec(query.get("where") ?? "")?.[1] ?? ""
  const value =
    query.get("params[1]") ?? (JSON.parse(query.get("params") ?? "{}") as Record<string, string>)["1"]
  return (rows[query.get("table") ?? ""] ?? []).filter((row) => row[column] === value)
}

const aborted = (signal: AbortSignal | null | undefined): Promise<never> =>
  new Promise((_, reject) => {
    signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")), { once: true })
  })

/** A `fetch` that answers as Electric would. */
export const tinyElectric: typeof fetch = async (input, init) => {
  const query = new URL(input instanceof Request ? input.url : input).searchParams
  if (query.get("live") === "true") return aborted(init?.signal)
  const changes = select(query).map((value) => ({
    key: value["id"],
    value,
    headers: { operation: "insert" },
  }))
  const body = query.get("offset") === "-1" ? changes : []
  return Response.json([...body, { headers: { control: "up-to-date", global_last_seen_lsn: "0" } }], {
    headers: {
      "electric-handle": `${query.get("table")}-1`,
      "electric-offset": "0_0",
      "electric-schema": "{}",
      "electric-up-to-date": "",
    },
  })
}

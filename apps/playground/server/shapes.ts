/** The gateway of the playground: everybody may read everything. Made once, for the Electric that `ELECTRIC_URL` names. */
import { Gateway } from "@espalier/gateway"
import { graph } from "../shared/graph"

const url = process.env["ELECTRIC_URL"] ?? "http://127.0.0.1:3001"

const gateway = Gateway.make({
  graph,
  electric: { url },
  identify: () => ({ params: {} }),
  rules: { lists: "public", notes: "public" },
})

export default (): Gateway.Gateway => gateway

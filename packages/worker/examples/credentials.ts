/** A page that sends a token of its own. Quoted by `docs/sync.md`. */
import type { EngineClient } from "@espalier/worker"

// #region token
/** Hands over a token, and another whenever the server no longer takes the last. */
export const followToken = async (
  client: EngineClient,
  freshToken: () => Promise<string>,
): Promise<() => void> => {
  const send = async (): Promise<void> => {
    const headers = { authorization: `Bearer ${await freshToken()}` }
    await client.call("setCredentials", { headers })
  }
  await send()
  let isSending = false
  return client.onStatus(({ instances, state }) => {
    const isRefused = Object.values(instances).some(({ error }) => error?.reason === "Unauthorised")
    if (state !== "blocked" || !isRefused || isSending) return
    isSending = true
    // A failure leaves the state blocked: the next status asks again.
    void send().then(
      () => (isSending = false),
      () => (isSending = false),
    )
  })
}
// #endregion

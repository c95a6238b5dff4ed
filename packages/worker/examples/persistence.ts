/** Asks the browser not to throw this site's data away. Quoted by `docs/offline.md`. */
// #region persist
/** True when the browser promised to keep the site's data; ask after a sign-in, from a click. */
export const keepForGood = async (): Promise<boolean> => {
  if (await navigator.storage.persisted()) return true
  return navigator.storage.persist()
}

/** Share of the site's quota in use, from 0 to 1: worth a warning above 0.8. */
export const usedShare = async (): Promise<number> => {
  const { quota = 0, usage = 0 } = await navigator.storage.estimate()
  return quota === 0 ? 0 : usage / quota
}
// #endregion

/** How full the storage is, in words; pure. The shares have names because people are warned by them. */
import type { StorageLevel } from "../../contract.ts"

/** Shares of the quota from which on a level holds. */
export const levelShares = { warning: 0.8, critical: 0.9, full: 0.98 } as const

/** What is known of the origin's storage; null where the browser does not say. */
export interface StorageEstimate {
  readonly usageBytes: number | null
  readonly quotaBytes: number | null
}

/** The level. A refused write counts more than any estimate: browsers pad and round theirs. */
export const storageLevel = (
  { quotaBytes, usageBytes }: StorageEstimate,
  writeRefused: boolean,
): StorageLevel => {
  if (writeRefused) return "full"
  if (usageBytes === null || quotaBytes === null || quotaBytes <= 0) return "ok"
  const share = usageBytes / quotaBytes
  if (share >= levelShares.full) return "full"
  if (share >= levelShares.critical) return "critical"
  return share >= levelShares.warning ? "warning" : "ok"
}

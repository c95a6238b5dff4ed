/**
 * Which of two versions of one row is newer. Exists because shapes deliver the same transaction in random order, so two
 * instances that hold a row must agree on its value whatever arrives first (design §5.6). Pure; called by the local stores
 * for rows that more than one instance has written, never to drop what an instance says about its own rows.
 */
import type { ChangeHeaders, ControlMessage, SnapshotVisibility } from "../../protocol/Message.ts"

/**
 * What a snapshot saw. `pending`: its `snapshot-end` has not come yet. `unknown`: it never came, although the log is
 * up to date; such rows cannot be ranked and give way to, and win against, everything.
 */
export type Visibility = SnapshotVisibility | "pending" | "unknown"

/** A row as one log entry left it. */
export interface LogVersion {
  readonly _tag: "Log"
  readonly lsn: bigint
  readonly op: number
  /** 32-bit transaction id of the writer; null when the server named none. */
  readonly txid: bigint | null
}

/** A row as a snapshot or a move-in query read it. */
export interface SnapshotVersion {
  readonly _tag: "Snapshot"
  readonly visibility: Visibility
}

export type RowVersion = LogVersion | SnapshotVersion

/** `write`: the incoming version is newer. `keep`: it is not. `wait`: nobody can tell before the `snapshot-end`. */
export type Verdict = "write" | "keep" | "wait"

const xidRange = 1n << 32n

/** The 64-bit id that a 32-bit transaction id stands for: the candidate nearest to `near`. */
export const widenTxid = (txid: bigint, near: bigint): bigint => {
  const low = ((txid % xidRange) + xidRange) % xidRange
  const candidate = near - (near % xidRange) + low
  if (candidate > near + xidRange / 2n && candidate >= xidRange) return candidate - xidRange
  if (candidate < near - xidRange / 2n) return candidate + xidRange
  return candidate
}

/** Whether a snapshot saw the effects of a transaction. */
export const sees = (snapshot: SnapshotVisibility, txid: bigint): boolean => {
  const xmax = BigInt(snapshot.xmax)
  const wide = widenTxid(txid, xmax)
  if (wide >= xmax) return false
  return wide < BigInt(snapshot.xmin) || !snapshot.xip_list.some((running) => BigInt(running) === wide)
}

/**
 * Orders two snapshots of one server by what they see: positive when `left` sees more. Snapshots of a primary are totally
 * ordered in time: a later one has a larger `xmax`, or the same one with fewer transactions still running.
 */
export const compareSnapshots = (left: SnapshotVisibility, right: SnapshotVisibility): number => {
  const byXmax = compare(BigInt(left.xmax), BigInt(right.xmax))
  if (byXmax !== 0) return byXmax
  const byRunning = right.xip_list.length - left.xip_list.length
  return byRunning !== 0 ? byRunning : compare(BigInt(left.xmin), BigInt(right.xmin))
}

/** Orders two log entries; equal in every shape for the same change. */
export const compareLog = (left: LogVersion, right: LogVersion): number =>
  compare(left.lsn, right.lsn) || left.op - right.op

/** Decides between an incoming version of a row and the one that another instance wrote. */
export const judge = (incoming: RowVersion, local: RowVersion): Verdict => {
  if (incoming._tag === "Snapshot" && incoming.visibility === "pending") return "wait"
  if (incoming._tag === "Log") {
    if (local._tag === "Log") return compareLog(incoming, local) > 0 ? "write" : "keep"
    if (isUnranked(local.visibility) || incoming.txid === null) return "write"
    return sees(local.visibility, incoming.txid) ? "keep" : "write"
  }
  if (isUnranked(incoming.visibility)) return "write"
  if (local._tag === "Log") {
    return local.txid === null || sees(incoming.visibility, local.txid) ? "write" : "keep"
  }
  if (isUnranked(local.visibility)) return "write"
  return compareSnapshots(incoming.visibility, local.visibility) > 0 ? "write" : "keep"
}

/** The version a change's own headers state, or null for a snapshot or move-in row. */
export const logVersionOf = (headers: ChangeHeaders): LogVersion | null =>
  headers.lsn === undefined
    ? null
    : {
        _tag: "Log",
        lsn: BigInt(headers.lsn),
        op: headers.op_position ?? 0,
        txid: headers.txids?.length ? BigInt(Math.max(...headers.txids)) : null,
      }

/** The visibility a `snapshot-end` states; `unknown` when it is incomplete. */
export const visibilityOf = (message: ControlMessage): Visibility => {
  const { xmin, xmax, xip_list } = message.headers
  return xmin === undefined || xmax === undefined ? "unknown" : { xmin, xmax, xip_list: xip_list ?? [] }
}

const isUnranked = (visibility: Visibility): visibility is "pending" | "unknown" =>
  typeof visibility === "string"

const compare = (left: bigint, right: bigint): number => (left < right ? -1 : left > right ? 1 : 0)

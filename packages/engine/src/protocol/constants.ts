/**
 * The words of Electric's wire protocol and of the gateway's. The only file that spells them; a tidy test
 * forbids the raw literals elsewhere. Source: protocol reference §1.2, §2.1, §3, §8.
 */

/** Query parameters of `GET /v1/shape`. */
export const Param = {
  table: "table",
  offset: "offset",
  handle: "handle",
  live: "live",
  liveSse: "live_sse",
  experimentalLiveSse: "experimental_live_sse",
  cursor: "cursor",
  where: "where",
  params: "params",
  columns: "columns",
  queryableColumns: "queryable_columns",
  replica: "replica",
  log: "log",
  secret: "secret",
  apiSecret: "api_secret",
  expiredHandle: "expired_handle",
  cacheBuster: "cache-buster",
  subsetPrefix: "subset__",
} as const

/** Parameters a gateway passes on from a client to Electric; everything else is stripped (protocol reference §8). */
export const forwardedParams: ReadonlySet<string> = new Set([
  Param.offset,
  Param.handle,
  Param.live,
  Param.liveSse,
  Param.experimentalLiveSse,
  Param.cursor,
  Param.expiredHandle,
  Param.log,
  Param.cacheBuster,
])

/** Query parameters of the gateway's own route (design §9). */
export const GatewayParam = {
  node: "node",
  /** Followed by the binding's name: `b.company_id`. */
  bindingPrefix: "b.",
  /** Followed by the name of a client parameter: `p.chosen`. */
  paramPrefix: "p.",
  definition: "def",
} as const

/** Stable codes in the gateway's error bodies `{code, message}`. */
export const GatewayCode = {
  unknownNode: "unknown_node",
  unauthenticated: "unauthenticated",
  /** 403 with this code revokes the instance; any other 403 only halts it (design §6). */
  revoked: "revoked",
  badRequest: "bad_request",
  methodNotAllowed: "method_not_allowed",
  schemaMismatch: "schema_mismatch",
  /** 404: the gateway has one path, and this is not it. */
  notFound: "not_found",
  /** 429 with `Retry-After`: the caller's own limits. */
  rateLimited: "rate_limited",
  /** 503 with `Retry-After`: this gateway is being stopped; another takes over. */
  closing: "closing",
  upstreamUnreachable: "upstream_unreachable",
  upstreamTimeout: "upstream_timeout",
  internal: "internal",
} as const

/** Response headers. */
export const Header = {
  handle: "electric-handle",
  offset: "electric-offset",
  schema: "electric-schema",
  cursor: "electric-cursor",
  upToDate: "electric-up-to-date",
  hasData: "electric-has-data",
  snapshot: "electric-snapshot",
  internalKnownError: "electric-internal-known-error",
  server: "electric-server",
  retryAfter: "retry-after",
  cacheControl: "cache-control",
  etag: "etag",
} as const

/** Values of `headers.control`. */
export const Control = {
  upToDate: "up-to-date",
  mustRefetch: "must-refetch",
  snapshotEnd: "snapshot-end",
  subsetEnd: "subset-end",
} as const

/** Values of `headers.event`. */
export const MoveEvent = { moveOut: "move-out", moveIn: "move-in" } as const

/** Values of `headers.operation`. */
export const Operation = { insert: "insert", update: "update", delete: "delete" } as const

/** Special offsets. */
export const OffsetWord = { start: "-1", now: "now" } as const

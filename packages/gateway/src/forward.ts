/**
 * What goes up to Electric and what comes back down. Both directions are allow-lists: up go the compiled definition, the secret
 * and protocol parameters; down come the body untouched, Electric's own headers and a few more. Pure but for `Response`.
 */
import { type Instance, quoteIdentIfNeeded, Wire } from "@espalier/engine/protocol"
import { type Refusal, refusal } from "./authorize.ts"

const { GatewayCode, Header, Param } = Wire

/** Electric's route; appended when the configured URL names only the server. */
const shapeRoute = "/v1/shape"

/** The address of Electric's shape route: `http://host:3000` and `http://host:3000/v1/shape` mean the same. */
export const upstreamBase = (configured: string): URL => {
  const url = new URL(configured)
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new TypeError(`electric.url must be http or https, not ${url.protocol}`)
  }
  const path = url.pathname.replace(/\/+$/, "")
  url.pathname = path.endsWith(shapeRoute) ? path : `${path}${shapeRoute}`
  return url
}

/**
 * The upstream request of an instance. Names are set, never appended (of a repeated name Electric takes the last), and always
 * in the same order, so that a cache before Electric sees one address per shape and position.
 */
export const upstreamUrl = (
  base: URL,
  instance: Instance,
  forwarded: Readonly<Record<string, string>>,
  secret: string | undefined,
): URL => {
  const url = new URL(base)
  const { definition } = instance
  const set = (name: string, value: string): void => url.searchParams.set(name, value)
  set(Param.table, definition.table)
  set(Param.columns, definition.columns.map(quoteIdentIfNeeded).join(","))
  if (definition.where !== undefined) set(Param.where, definition.where)
  for (const [index, value] of Object.entries(definition.params)) set(`${Param.params}[${index}]`, value)
  for (const name of [...Wire.forwardedParams].toSorted()) {
    const value = forwarded[name]
    // The log mode is the definition's; "full" is the server's default.
    if (value !== undefined && name !== Param.log) set(name, value)
  }
  if (secret !== undefined) set(Param.secret, secret)
  return url
}

/** Headers of an answer that pass besides `electric-*`. */
const passedHeaders: ReadonlySet<string> = new Set([Header.etag, Header.retryAfter, "content-type"])

/** Nothing between this gateway and the browser's disk may keep an answer (design §8). */
export const privateCacheControl = "private, no-store"

const headersDown = (from: Headers): Headers => {
  const headers = new Headers()
  for (const [name, value] of from) {
    // `content-encoding` and `content-length` stay behind: fetch has decoded the body.
    if (name.startsWith("electric-") || passedHeaders.has(name)) headers.set(name, value)
  }
  headers.set(Header.cacheControl, privateCacheControl)
  return headers
}

/**
 * An answer that says more about the gateway's set-up than about the client's request, as the gateway's own error. Electric's 401
 * would send every client for new credentials, its 404 would halt them, a redirect would show them the secret in its location.
 */
export const upstreamRefusal = (status: number): Refusal | null => {
  if (status === 401 || status === 403) {
    return refusal(502, GatewayCode.upstreamUnreachable, "the shape server refuses the gateway's credentials")
  }
  if (status === 404) {
    return refusal(
      502,
      GatewayCode.upstreamUnreachable,
      "the shape server has no shape route at the configured address",
    )
  }
  if (status >= 300 && status < 400 && status !== 304) {
    return refusal(
      502,
      GatewayCode.upstreamUnreachable,
      "the shape server redirects; configure its final address",
    )
  }
  return null
}

/** Statuses whose response must not have a body. */
const bodiless: ReadonlySet<number> = new Set([204, 205, 304])

/** A successful answer or a 409, streamed as it arrives. */
export const streamDown = (upstream: Response): Response =>
  new Response(bodiless.has(upstream.status) ? null : upstream.body, {
    status: upstream.status,
    headers: headersDown(upstream.headers),
  })

/** Bytes of an error body that are read; more is cut. */
const maxErrorBytes = 65_536

const readStart = async (body: ReadableStream<Uint8Array> | null): Promise<string> => {
  if (body === null) return ""
  const decoder = new TextDecoder()
  const reader = body.getReader()
  let text = ""
  let bytes = 0
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    bytes += chunk.value.length
    text += decoder.decode(chunk.value, { stream: true })
    if (bytes >= maxErrorBytes) break
  }
  await reader.cancel()
  return text
}

/** An error of the shape server (400, 429, 5xx) in its own words, except that they never hold the secret. */
export const errorDown = async (upstream: Response, secret: string | undefined): Promise<Response> => {
  const text = await readStart(upstream.body)
  const spellings = secret === undefined || secret === "" ? [] : [secret, encodeURIComponent(secret)]
  const clean = spellings.reduce((rest, spelling) => rest.replaceAll(spelling, "…"), text)
  return new Response(clean, { status: upstream.status, headers: headersDown(upstream.headers) })
}

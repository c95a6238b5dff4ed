/**
 * The addresses of shapes: a gateway is told a node and its bindings, Electric itself the whole definition. Exists so that what a
 * client may say to each is in one pure place (design §9): to a gateway never table, where or columns. Also reads back what
 * the official client put into a request.
 */
import type { Instance } from "../../protocol/Shape.ts"
import { quoteIdent } from "../../protocol/compile.ts"
import { GatewayParam, OffsetWord, Param } from "../../protocol/constants.ts"

/** Whom the source talks to: our gateway, or Electric directly (development and servers only, it shows SQL and secret). */
export type EndpointKind = "gateway" | "electric"

/**
 * The address of an instance's shape without protocol parameters. `extra` is added last and wins (an API secret, a source id).
 *
 * @throws TypeError when `base` is relative and there is no page to resolve it against
 */
export const shapeUrl = (
  kind: EndpointKind,
  base: string,
  instance: Instance,
  extra: Readonly<Record<string, string>> = {},
): URL => {
  const url = new URL(base, globalThis.location?.href)
  if (kind === "gateway") addGatewayParams(url, instance)
  else addDefinition(url, instance)
  for (const [name, value] of Object.entries(extra)) url.searchParams.set(name, value)
  return url
}

const addGatewayParams = (url: URL, instance: Instance): void => {
  url.searchParams.set(GatewayParam.node, instance.node)
  for (const [name, value] of Object.entries(instance.bindings)) {
    url.searchParams.set(`${GatewayParam.bindingPrefix}${name}`, value)
  }
  for (const [name, value] of Object.entries(instance.clientParams)) {
    url.searchParams.set(`${GatewayParam.paramPrefix}${name}`, value)
  }
  url.searchParams.set(GatewayParam.definition, instance.hash)
}

/** `replica=default` is the server's default, so it is left out: equal shapes keep equal addresses. */
const addDefinition = (url: URL, instance: Instance): void => {
  const { definition } = instance
  url.searchParams.set(Param.table, definition.table)
  url.searchParams.set(Param.columns, definition.columns.map(quoteIdent).join(","))
  if (definition.where !== undefined) url.searchParams.set(Param.where, definition.where)
  for (const [name, value] of Object.entries(definition.params)) {
    url.searchParams.set(`${Param.params}[${name}]`, value)
  }
}

/** What a request of the official client asks for. */
export interface RequestFacts {
  readonly live: boolean
  readonly offset: string
  /** The handle it asks to go on with; null when it starts from the beginning. */
  readonly handle: string | null
}

export const requestFacts = (url: URL): RequestFacts => {
  const offset = url.searchParams.get(Param.offset) ?? OffsetWord.start
  return {
    live: url.searchParams.get(Param.live) === "true",
    offset,
    handle: offset === OffsetWord.start ? null : url.searchParams.get(Param.handle),
  }
}

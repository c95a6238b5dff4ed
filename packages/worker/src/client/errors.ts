/**
 * What the page half throws, each a class with its own name, so that an app can tell "try again" from "fix
 * this". Messages say what happened and what to do. No Effect here.
 */

/**
 * The host failed to start, or this tab may not use it. Nothing will answer until the page is loaded again.
 */
export class HostFailed extends Error {
  override readonly name = "HostFailed"
}

/**
 * No leader answered within the bound. The command may or may not have run; every command may be repeated.
 */
export class HostUnavailable extends Error {
  override readonly name = "HostUnavailable"
}

/** The engine ran the command and refused it; `code` is the engine's error tag, e.g. `StoreError`. */
export class CallFailed extends Error {
  override readonly name = "CallFailed"
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** A lease named a node the graph does not have. */
export class UnknownNode extends Error {
  override readonly name = "UnknownNode"
  constructor(node: string, known: ReadonlyArray<string>) {
    super(`The graph has no node "${node}". Its nodes: ${known.join(", ")}.`)
  }
}

/** The client was closed; make a new one. */
export class ClientClosed extends Error {
  override readonly name = "ClientClosed"
  constructor() {
    super("This engine client was closed. Make a new one with createEngineClient.")
  }
}

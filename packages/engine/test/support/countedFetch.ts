/**
 * Counts requests that are open, at the one place where that is known: where they are made. A server learns of an aborted request only
 * when its socket's end has come to it, and by then it may have accepted the next one on another socket. Tests only.
 */
export interface CountedFetch {
  readonly fetch: typeof globalThis.fetch
  /** Most requests that were ever open at once. */
  readonly maxOpen: () => number
}

/** Open from the call until the body was read, the request failed, or it was aborted. */
export const countedFetch = (fetch: typeof globalThis.fetch = globalThis.fetch): CountedFetch => {
  let open = 0
  let maxOpen = 0
  const begin = (signal: AbortSignal | null | undefined): (() => void) => {
    let isOpen = true
    const close = (): void => {
      if (isOpen) open -= 1
      isOpen = false
    }
    open += 1
    maxOpen = Math.max(maxOpen, open)
    if (signal?.aborted === true) close()
    else signal?.addEventListener("abort", close, { once: true })
    return close
  }
  return {
    maxOpen: () => maxOpen,
    fetch: async (input, init) => {
      const close = begin(init?.signal)
      try {
        const response = await fetch(input, init)
        if (response.body === null) close()
        const body = response.body?.pipeThrough(new TransformStream({ flush: close }))
        const { headers, status } = response
        return new Response(body ?? null, { headers, status })
      } catch (cause) {
        close()
        throw cause
      }
    },
  }
}

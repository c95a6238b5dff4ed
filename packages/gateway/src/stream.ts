/**
 * Watches a body on its way down without keeping any of it: how many bytes, and that it has ended, however it ended. Exists because a
 * request is over only when its last byte is out, and limits, waits and the access log hang on that moment.
 */

/** How a body ended. */
export interface BodyEnd {
  readonly bytes: number
  /** Not all of it went out. */
  readonly cut: boolean
}

/**
 * The same body, one chunk asked for at a time (the client's pace is the upstream's). `onEnd` is called once: at the last byte, at the client's
 * cancel, or at a failure of the source, which reaches the client as a broken body.
 */
export const watched = (
  body: ReadableStream<Uint8Array>,
  onEnd: (end: BodyEnd) => void,
): ReadableStream<Uint8Array> => {
  const reader = body.getReader()
  let bytes = 0
  let ended = false
  const end = (cut: boolean): void => {
    if (ended) return
    ended = true
    onEnd({ bytes, cut })
  }
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const chunk = await reader.read()
          if (chunk.done) {
            controller.close()
            end(false)
          } else {
            bytes += chunk.value.byteLength
            controller.enqueue(chunk.value)
          }
        } catch (cause) {
          controller.error(cause)
          end(true)
        }
      },
      async cancel(reason) {
        end(true)
        await reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
}

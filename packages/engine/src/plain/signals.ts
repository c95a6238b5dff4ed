/** Between the web's ways to say "stop" and "changed" and the engine's streams. Called by `createEngine.ts`. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type HostSignal, HostSignals } from "../ports/HostSignals.ts"

const aborted = (signal: AbortSignal): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const stop = (): void => resume(Effect.void)
    if (signal.aborted) stop()
    else signal.addEventListener("abort", stop, { once: true })
    return Effect.sync(() => signal.removeEventListener("abort", stop))
  })

/** The stream, ended when the signal is aborted. */
export const stopWith = <Item>(
  stream: Stream.Stream<Item>,
  signal: AbortSignal | undefined,
): Stream.Stream<Item> => (signal === undefined ? stream : Stream.interruptWhen(stream, aborted(signal)))

/** Host signals from an async iterable; when it fails or ends, its last word holds. */
export const hostSignalsOf = (changes: AsyncIterable<HostSignal>): HostSignals["Service"] =>
  HostSignals.of({
    changes: Stream.fromAsyncIterable(changes, (cause) => cause).pipe(
      Stream.catch((cause) =>
        Stream.fromEffect(Effect.logWarning("the host's signals ended", cause)).pipe(Stream.drain),
      ),
    ),
  })

/** Stopping on an AbortSignal, with an error that a person can read. */
import { ShareError } from '../core/errors.ts'

function interruption(signal: AbortSignal): ShareError {
  if (signal.reason instanceof ShareError) return signal.reason
  return new ShareError('INTERRUPTED', 'interrupted', 'run the same command again', { cause: signal.reason })
}

/** @throws ShareError the signal's reason, or INTERRUPTED */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw interruption(signal)
}

/** Settles as the promise does, or rejects as soon as the signal fires. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  const { promise: stopped, reject } = Promise.withResolvers<never>()
  const stop = (): void => reject(interruption(signal))
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  return Promise.race([promise, stopped]).finally(() => signal.removeEventListener('abort', stop))
}

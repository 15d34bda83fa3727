import { ShareError } from '../core/errors.ts'

/** The error for content that is wrong by its own root: the right hash, and still not usable. Blames no peer. */
export function badContent(message: string, cause?: unknown): ShareError {
  const options = cause === undefined ? undefined : { cause }
  return new ShareError(
    'BAD_CONTENT',
    message,
    'the content itself is at fault, not the peers: ask whoever published it',
    options,
  )
}

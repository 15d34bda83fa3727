import { badContent } from '../content/bad-content.ts'

/** The error for a torrent that no client could use, or none should. */
export function badTorrent(reason: string, cause?: unknown): Error {
  return badContent(`the torrent cannot be used: ${reason}`, cause)
}

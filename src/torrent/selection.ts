/** Which files of a torrent are wanted, by the patterns that a person gave. */
import { posix } from 'node:path'
import { printable } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import type { TorrentInfo } from './info.ts'

/**
 * Of each file in the order of the torrent whether it is wanted; without patterns all are. A pattern without `/` is
 * held against names anywhere in the torrent, one with `/` against whole paths; a directory stands for all below it.
 * @throws ShareError USAGE when nothing is wanted
 */
export function selectFiles(
  { name, files }: Pick<TorrentInfo, 'name' | 'files'>,
  only: readonly string[],
): boolean[] {
  if (only.length === 0) return files.map(() => true)
  const wanted = files.map(({ path }) => only.some((pattern) => matches(path === '' ? name : path, pattern)))
  if (wanted.some((is, at) => is && (files[at]?.size ?? 0) > 0)) return wanted
  throw new ShareError(
    'USAGE',
    `no file in ${printable(name)} matches ${only.map((pattern) => printable(pattern)).join(', ')}`,
    `it holds ${examples(files.map(({ path }) => (path === '' ? name : path)))}`,
  )
}

const MOST_EXAMPLES = 5

function examples(paths: readonly string[]): string {
  const shown = paths.slice(0, MOST_EXAMPLES).map((path) => printable(path))
  const more = paths.length - shown.length
  return more === 0 ? shown.join(', ') : `${shown.join(', ')}, and ${more} more`
}

function matches(path: string, pattern: string): boolean {
  const trimmed = pattern.replace(/\/+$/, '')
  const steps = path.split('/')
  if (!trimmed.includes('/')) return steps.some((step) => posix.matchesGlob(step, trimmed))
  const rooted = trimmed.replace(/^\/+/, '')
  return steps.some((_, at) => posix.matchesGlob(steps.slice(0, at + 1).join('/'), rooted))
}

/** Where a web seed has a file of a torrent (BEP 19). */
import type { TorrentInfo } from './info.ts'

/**
 * For a torrent of one file the URL itself, unless it ends in a slash; else below it the torrent's name, and the file's path.
 */
export function webSeedUrl(
  base: string,
  { name, files }: Pick<TorrentInfo, 'name' | 'files'>,
  file: number,
): string {
  const path = files[file]?.path ?? ''
  const isAlone = path === ''
  if (isAlone && !base.endsWith('/')) return base
  const names = isAlone ? [name] : [name, ...path.split('/')]
  return `${base.replace(/\/$/, '')}/${names.map(encodeURIComponent).join('/')}`
}

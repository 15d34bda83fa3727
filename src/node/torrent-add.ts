/** Data that is here already, held against the torrent that it should be: then it is a share, and seeds that torrent. */
import { resolve } from 'node:path'
import { printable } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import { checkTree, type FoundTree } from '../store/found-tree.ts'
import { kindAt } from '../store/place.ts'
import type { ShareRow, Store } from '../store/types.ts'
import { packMetainfo } from '../torrent/keep-metainfo.ts'
import type { Metainfo } from '../torrent/metainfo.ts'
import { TorrentSpace } from '../torrent/torrent-space.ts'
import { addPath } from './adding.ts'
import { PieceCheck } from './piece-check.ts'
import { readTorrentFile } from './torrent-file.ts'
import type { AddOptions } from './types.ts'

/** Files that are named when they are wrong. */
const MOST_NAMED = 5

/** @throws ShareError NOT_FOUND, BAD_CONTENT, USAGE; VERIFICATION_FAILED where a piece is missing or wrong */
export async function addByTorrent(
  store: Store,
  path: string,
  options: AddOptions & { readonly torrent: string },
): Promise<ShareRow> {
  const { torrent, name, ...adding } = options
  if (options.copy === true)
    throw new ShareError('USAGE', 'a torrent is served where its files lie', 'add it without --copy')
  const metainfo = await readTorrentFile(torrent)
  await check(resolve(path), metainfo, options)
  const row = await addPath(store, path, { ...adding, name: name ?? metainfo.info.name })
  const { v1, v2 } = metainfo.info.hashes
  await store.keepMetainfo(row.root, packMetainfo(metainfo.infoBytes, metainfo.layers))
  const origin = {
    v1: v1 && Buffer.from(v1).toString('hex'),
    v2: v2 && Buffer.from(v2).toString('hex'),
    into: undefined,
    only: [],
    claimed: undefined,
    trackers: metainfo.trackers,
    isPrivate: metainfo.info.isPrivate,
    webSeeds: metainfo.webSeeds,
    peers: [],
  }
  await store.update(row.root, { torrent: origin })
  return { ...row, torrent: origin }
}

async function check(path: string, metainfo: Metainfo, { signal, onProgress }: AddOptions): Promise<void> {
  const { info } = metainfo
  const space = new TorrentSpace(
    info,
    info.files.map(() => true),
  )
  const kind = await kindAt(path)
  if (kind === undefined) throw new ShareError('NOT_FOUND', `there is no ${path}`, 'check the path')
  if (kind !== space.entries[0]?.kind) {
    const [is, are] = kind === 'directory' ? ['a directory', 'one file'] : ['a file', 'a directory']
    throw new ShareError('USAGE', `${path} is ${is}, and the torrent is ${are}`, 'name what it was made of')
  }
  const pieces = new PieceCheck(space, metainfo.layers)
  try {
    const found = await checkTree(path, space, {
      check: (piece, bytes) => pieces.check(piece, bytes),
      onProgress: (done) =>
        onProgress?.({
          done: Math.round((space.bytes * done) / space.length),
          total: space.bytes,
          files: info.files.length,
        }),
      ...(signal !== undefined && { signal }),
    })
    const wrong = wrongIn(space, found)
    if (wrong !== undefined) throw wrong
  } finally {
    pieces.end()
  }
}

function wrongIn(space: TorrentSpace, { have, foreign, longer }: FoundTree): ShareError | undefined {
  const missing = space.length - have.count
  if (missing > 0) {
    const files = new Set<string>()
    for (let piece = 0; piece < space.length && files.size <= MOST_NAMED; piece++) {
      if (have.has(piece)) continue
      for (const run of space.fileRuns(piece)) if (run.kind === 'file') files.add(nameOf(space, run.file))
    }
    const named = [...files].slice(0, MOST_NAMED).join(', ')
    const message = `${missing} of ${space.length} pieces of the torrent are missing or wrong (${numbers(space, have)}), in ${named}${files.size > MOST_NAMED ? ' and others' : ''}`
    return new ShareError(
      'VERIFICATION_FAILED',
      message,
      '`share get` the torrent to the same place: it fetches what is missing',
    )
  }
  const other = [...longer, ...foreign]
  if (other.length === 0) return undefined
  return new ShareError(
    'CONFLICT',
    `there is more than the torrent has: ${other
      .slice(0, MOST_NAMED)
      .map((path) => printable(path))
      .join(', ')}`,
    'move it away, or add without --torrent',
  )
}

const nameOf = ({ info }: TorrentSpace, file: number): string =>
  printable(info.files[file]?.path || info.name)

/** The first ranges of those that are not there: `0-3, 7`. */
function numbers({ length }: TorrentSpace, have: FoundTree['have']): string {
  const ranges: string[] = []
  for (let piece = 0; piece < length; piece++) {
    if (have.has(piece)) continue
    let last = piece
    while (last + 1 < length && !have.has(last + 1)) last++
    if (ranges.length === MOST_NAMED) return `${ranges.join(', ')}, …`
    ranges.push(piece === last ? `${piece}` : `${piece}-${last}`)
    piece = last
  }
  return ranges.join(', ')
}

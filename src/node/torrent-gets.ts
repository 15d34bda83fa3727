/** From what a person asks for to the download of a torrent: one that runs or was begun, a share that is here, or a new one. */
import { stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { isTorrentRoot } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import type { RootKey } from '../core/types.ts'
import type { TorrentOrigin } from '../store/torrent-types.ts'
import type { ShareRow, Store } from '../store/types.ts'
import type { InfoHashes } from '../torrent/info.ts'
import type { Metainfo } from '../torrent/metainfo.ts'
import { sameTorrent, torrentRoot } from '../torrent/torrent-root.ts'
import { placeFor } from './place.ts'
import { fetchTorrentFile, readTorrentFile } from './torrent-file.ts'
import { hashesOf } from './torrent-origin.ts'
import { type NamedTorrent, type TorrentTarget, torrentSources } from './torrent-target.ts'
import type { TorrentRequest } from './torrent-transfer.ts'
import type { GetOptions } from './types.ts'

export interface AskedTorrent {
  readonly root: RootKey
  readonly request: TorrentRequest
  /** A share that came from this torrent, as it was asked for now. */
  readonly share: ShareRow | undefined
}

/** @throws ShareError NOT_FOUND, BAD_CONTENT, BAD_ADDRESS, CONFLICT, USAGE */
export async function askTorrent(
  store: Store,
  target: TorrentTarget,
  options: GetOptions,
): Promise<AskedTorrent> {
  const { output, only = [], peers = [], signal, stream = false } = options
  const { named, metainfo } = await nameTorrent(target, signal)
  const sources = torrentSources(peers)
  const known = rowsOf(store, named.hashes)
  const begun = known.find((row) => isTorrentRoot(row.root))
  const share = known.find(
    (row) => !isTorrentRoot(row.root) && row.phase === 'complete' && sameChoice(row, only),
  )
  const root = begun?.root ?? torrentRoot(named.hashes)
  const place = await placeOf(output, named.name ?? root)
  if (begun !== undefined) checkBegun(begun, { only, place, asked: output !== undefined })
  const origin: TorrentOrigin = {
    v1: hex(named.hashes.v1),
    v2: hex(named.hashes.v2),
    into: place.into,
    only,
    claimed: named.claimed,
    trackers: named.trackers,
    isPrivate: metainfo?.info.isPrivate === true,
    webSeeds: [...new Set([...sources.webSeeds, ...named.webSeeds])],
    peers: [...new Set([...sources.peers, ...named.peers])],
  }
  const request = { name: basename(place.path), path: place.path, origin, stream }
  return { root, share, request: metainfo === undefined ? request : { ...request, metainfo } }
}

/** What a row that goes on was asked for by. */
export function requestOfRow({ name, path, torrent }: ShareRow & { torrent: TorrentOrigin }): TorrentRequest {
  return { name, path, origin: torrent }
}

async function nameTorrent(
  target: TorrentTarget,
  signal: AbortSignal | undefined,
): Promise<{ named: NamedTorrent; metainfo: Metainfo | undefined }> {
  if (target.kind === 'hashes') return { named: target, metainfo: undefined }
  const metainfo =
    target.kind === 'file' ? await readTorrentFile(target.path) : await fetchTorrentFile(target.url, signal)
  const { info, trackers, webSeeds } = metainfo
  const named = { hashes: info.hashes, name: info.name, trackers, webSeeds, peers: [], claimed: undefined }
  return { named, metainfo }
}

function rowsOf(store: Store, hashes: InfoHashes): ShareRow[] {
  return store
    .shares()
    .filter(({ torrent }) => torrent !== undefined && sameTorrent(hashesOf(torrent), hashes))
}

/** The row that a person means by an info hash: a download, or a share that came from it. */
export function rowOfTorrent(store: Store, hashes: InfoHashes): ShareRow | undefined {
  const rows = rowsOf(store, hashes)
  return rows.find((row) => isTorrentRoot(row.root)) ?? rows[0]
}

function sameChoice({ torrent }: ShareRow, only: readonly string[]): boolean {
  return [...(torrent?.only ?? [])].sort().join('\0') === [...only].sort().join('\0')
}

interface Place {
  /** The directory that it goes into under its own name. */
  readonly into: string | undefined
  readonly path: string
}

async function placeOf(output: string | undefined, name: string): Promise<Place> {
  const wanted = resolve(output ?? '.')
  const isDirectory = await stat(wanted).then(
    (found) => found.isDirectory(),
    () => false,
  )
  return isDirectory
    ? { into: wanted, path: join(wanted, name) }
    : { into: undefined, path: await placeFor(output, name) }
}

function checkBegun(
  row: ShareRow,
  { only, place, asked }: { only: readonly string[]; place: Place; asked: boolean },
): void {
  const isElsewhere =
    asked && place.path !== row.path && (place.into === undefined || place.into !== row.torrent?.into)
  const isOther = only.length > 0 && !sameChoice(row, only)
  if (!isElsewhere && !isOther) return
  throw new ShareError(
    'CONFLICT',
    `the torrent is on its way to ${row.path} already${isOther ? ', with another choice of files' : ''}`,
    `wait for it, or \`share rm ${row.root}\` first`,
  )
}

const hex = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString('hex')

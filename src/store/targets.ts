/** Where a download may go, and the row that it begins with. */
import { constants } from 'node:fs'
import { access, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errno, ShareError } from '../core/errors.ts'
import type { RootKey } from '../core/types.ts'
import type { Layouts } from './layouts.ts'
import { partialPath } from './partial.ts'
import { kindAt, syncDirectory, targetExists } from './place.ts'
import { recover } from './recover.ts'
import { type KeptShare, NO_LIMITS } from './share-row.ts'
import type { ShareTable } from './share-table.ts'
import type { TorrentOrigin } from './torrent-types.ts'
import type { AskedTorrent, ShareRow } from './types.ts'

export interface Asked {
  readonly root: RootKey
  readonly name: string
  /** Absolute. */
  readonly path: string
  readonly peers: readonly string[]
}

/**
 * Checks the target and writes the row of a download that begins or goes on. What was begun keeps its path.
 * @throws ShareError TARGET_EXISTS, NOT_FOUND, UNREADABLE; CONFLICT when the share is here already
 */
export async function prepareDownload(shares: ShareTable, layouts: Layouts, asked: Asked): Promise<void> {
  const left = shares.get(asked.root)?.row
  if (left?.phase === 'finishing') await recover(shares, layouts, left)
  const former = shares.get(asked.root)
  if (former?.row.phase === 'complete' && !(await isLost(former.row))) throw alreadyHere(former.row)
  const begun = former !== undefined && (await isBegun(former))
  const path = begun ? former.row.path : asked.path
  await checkTarget(path)
  if (!begun && (await kindAt(partialPath(path))) !== undefined) throw targetExists(partialPath(path))
  const rivals = shares.all().filter(({ row }) => row.phase !== 'complete' && row.root !== asked.root)
  if (rivals.some(({ row }) => row.path === path)) throw targetExists(path)
  const peers = [...new Set([...(former?.row.peers ?? []), ...asked.peers])]
  const row = newRow({ ...asked, path, peers, name: begun ? former.row.name : asked.name }, former?.row)
  const slot = former?.slot ?? (await shares.newSlot())
  await shares.put({ row, slot, partial: begun ? former.partial : 'none' })
}

/** Writes the row of a torrent that is to be fetched, or goes on. Where it goes is decided once its files are known. */
export async function prepareTorrent(shares: ShareTable, asked: AskedTorrent): Promise<void> {
  const former = shares.get(asked.root)
  const begun = former !== undefined && former.partial !== 'none'
  const { path, name } = begun || former?.row.phase === 'complete' ? former.row : asked
  const torrent = joined(asked.torrent, former?.row.torrent, begun)
  const row = newRow({ root: asked.root, name, path, peers: asked.peers }, former?.row)
  const phase = former?.row.phase ?? 'incomplete'
  const slot = former?.slot ?? (await shares.newSlot())
  await shares.put({ row: { ...row, phase, torrent }, slot, partial: former?.partial ?? 'none' })
}

/** What was asked for now, and what is known from before; a selection that was begun stays. */
function joined(asked: TorrentOrigin, former: TorrentOrigin | undefined, begun: boolean): TorrentOrigin {
  if (former === undefined) return asked
  const both = (key: 'webSeeds' | 'peers'): string[] => [...new Set([...asked[key], ...former[key]])]
  return {
    v1: asked.v1 ?? former.v1,
    v2: asked.v2 ?? former.v2,
    into: asked.into,
    only: begun ? former.only : asked.only,
    claimed: asked.claimed ?? former.claimed,
    trackers: asked.trackers.length > 0 ? asked.trackers : former.trackers,
    isPrivate: former.isPrivate,
    webSeeds: both('webSeeds'),
    peers: both('peers'),
  }
}

/** A row that keeps what a share with the same root has gathered. */
export function newRow(share: Asked, former: ShareRow | undefined): ShareRow {
  return {
    root: share.root,
    name: share.name,
    path: share.path,
    phase: 'incomplete',
    copied: false,
    paused: former?.paused ?? false,
    size: former?.size ?? 0,
    pieces: former?.pieces ?? 0,
    entries: former?.entries ?? 0,
    uploaded: former?.uploaded ?? 0,
    downloaded: former?.downloaded ?? 0,
    keptBytes: former?.keptBytes ?? 0,
    keptPieces: former?.keptPieces ?? 0,
    addedAt: former?.addedAt ?? Date.now(),
    damaged: [],
    limits: NO_LIMITS,
    added: undefined,
    peers: share.peers,
    magnet: former?.magnet,
    // their names are in them
    torrents: former?.name === share.name ? former.torrents : [],
    trackers: former?.trackers ?? [],
    torrent: former?.torrent,
  }
}

/** Deletes what a download left unfinished, durably: nobody owns it once its row is gone. */
export async function dropPartial({ row, partial }: KeptShare): Promise<void> {
  if (row.phase === 'complete' || partial === 'none') return
  await rm(partialPath(row.path), { recursive: true, force: true })
  await syncDirectory(dirname(row.path))
}

async function isBegun({ row, partial }: KeptShare): Promise<boolean> {
  return partial !== 'none' && (await kindAt(partialPath(row.path))) !== undefined
}

/** The bytes of a complete share are gone or spoilt, so that it may be fetched again. */
async function isLost(row: ShareRow): Promise<boolean> {
  return row.damaged.length > 0 || (!row.copied && (await kindAt(row.path)) === undefined)
}

async function checkTarget(path: string): Promise<void> {
  if ((await kindAt(path)) !== undefined) throw targetExists(path)
  const directory = dirname(path)
  try {
    await access(directory, constants.W_OK)
  } catch (thrown) {
    if (errno(thrown) !== 'ENOENT') throw ShareError.from(thrown)
    const hint = 'make it first, or choose another target with -o'
    throw new ShareError('NOT_FOUND', `there is no directory ${directory}`, hint, { cause: thrown })
  }
}

function alreadyHere(row: ShareRow): ShareError {
  const message = `${row.root} is already here: ${row.path}`
  return new ShareError('CONFLICT', message, 'copy it from there, or forget it with `share rm` first')
}

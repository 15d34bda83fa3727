/** What a share looks like from outside: its row in the catalogue, its transfer if one runs, and its traffic. */
import { type PeerKey, peerKey, type RootKey } from '../core/types.ts'
import type { ShareRow } from '../store/types.ts'
import type { PeerView } from '../swarm/events.ts'
import { isGateway } from './peer-kind.ts'
import type { RunningTransfer } from './running-transfer.ts'
import { mismatchOf } from './torrent-share.ts'
import type { PeerTraffic, Traffic } from './traffic.ts'
import type { BannedPeer, DiscoveryInfo, PeerInfo, ShareInfo, ShareState } from './types.ts'

export interface ShareView {
  readonly row: ShareRow
  readonly transfer: RunningTransfer | undefined
  /** Those who take part in its swarm. */
  readonly members: readonly PeerView[]
  readonly traffic: Traffic
  readonly banned: readonly BannedPeer[]
  readonly announced: boolean
  readonly discovery: readonly DiscoveryInfo[]
  addressOf(peer: string): string | undefined
  /** Why a source is not asked now. */
  problemOf(root: RootKey, peer: PeerKey): string | undefined
}

export function describeShare(view: ShareView): ShareInfo {
  const { row, transfer, banned, announced, discovery } = view
  const complete = row.phase === 'complete'
  const moving = transfer?.progress
  const peers = peersOf(view)
  return {
    cid: row.root,
    name: row.name,
    path: row.path,
    state: stateOf(row, transfer),
    size: moving?.size || row.size,
    have: complete ? row.size : (moving?.have ?? row.keptBytes),
    pieces: complete
      ? { total: row.pieces, have: row.pieces }
      : (moving?.pieces ?? { total: row.pieces, have: row.keptPieces }),
    uploaded: row.uploaded,
    downloaded: row.downloaded,
    rates: { up: sum(peers.map((peer) => peer.rates.up)), down: sum(peers.map((peer) => peer.rates.down)) },
    peers,
    banned,
    damaged: row.damaged,
    limits: row.limits,
    error: transfer?.error?.toJSON(),
    announced,
    ...(transfer?.search !== undefined && !complete && { search: transfer.search }),
    discovery,
    infoHashes: {
      ...(row.torrent?.v1 && { v1: row.torrent.v1 }),
      ...(row.torrent?.v2 && { v2: row.torrent.v2 }),
    },
    only: row.torrent?.only ?? [],
    mismatch: mismatchOf(row),
  }
}

function stateOf(row: ShareRow, transfer: RunningTransfer | undefined): ShareState {
  if (row.damaged.length > 0) return 'damaged'
  if (transfer?.state === 'failed') return 'failed'
  if (row.paused) return 'paused'
  if (row.phase === 'complete') return 'seeding'
  if (transfer?.state === 'downloading' || transfer?.state === 'checking') return transfer.state
  return 'resolving'
}

/** Those who take part, then those who were only found so far. */
function peersOf({ row, members, traffic, transfer, addressOf, problemOf }: ShareView): PeerInfo[] {
  const moved = new Map<string, Omit<PeerTraffic, 'peer'>>(
    traffic.peers(row.root).map(({ peer, ...figures }) => [peer, figures]),
  )
  const known = new Set<string>(members.map(({ peer }) => peer))
  const found = [...(transfer?.peers ?? [])].filter((peer) => !known.has(peer))
  const views = [...members, ...found.map((peer) => ({ ...NEWCOMER, peer }))]
  return views.map(({ peer, ...view }) => ({
    id: peer,
    ...view,
    // to the scheduler they are alike
    wire: isGateway(peerKey(peer)) ? 'http' : view.wire,
    address: addressOf(peer),
    via: wayOf(peer, addressOf(peer)),
    problem: problemOf(row.root, peerKey(peer)),
    ...(moved.get(peer) ?? NOTHING),
  }))
}

function wayOf(peer: string, address: string | undefined): PeerInfo['via'] {
  if (address === undefined || isGateway(peerKey(peer))) return undefined
  return address.includes('/p2p-circuit') ? 'relayed' : 'direct'
}

const NOTHING = { uploaded: 0, downloaded: 0, rates: { up: 0, down: 0 } }

/** DAG nodes come by Bitswap, until it turns out how pieces do. */
const NEWCOMER: Omit<PeerView, 'peer'> = {
  wire: 'bitswap',
  pieces: 0,
  choked: false,
  interested: false,
  choking: false,
  wanted: false,
  snubbed: false,
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)

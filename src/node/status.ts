/** What a share looks like from outside: its row in the catalogue, its transfer if one runs, and its traffic. */
import { peerKey } from '../core/types.ts'
import type { ShareRow } from '../store/types.ts'
import type { PeerView } from '../swarm/events.ts'
import { isGateway } from './http-wire.ts'
import type { PeerTraffic, Traffic } from './traffic.ts'
import type { Transfer } from './transfer.ts'
import type { BannedPeer, PeerInfo, ShareInfo, ShareState } from './types.ts'

export interface ShareView {
  readonly row: ShareRow
  readonly transfer: Transfer | undefined
  /** Those who take part in its swarm. */
  readonly members: readonly PeerView[]
  readonly traffic: Traffic
  readonly banned: readonly BannedPeer[]
  readonly announced: boolean
  addressOf(peer: string): string | undefined
}

export function describeShare(view: ShareView): ShareInfo {
  const { row, transfer, banned, announced } = view
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
  }
}

function stateOf(row: ShareRow, transfer: Transfer | undefined): ShareState {
  if (row.damaged.length > 0) return 'damaged'
  if (transfer?.state === 'failed') return 'failed'
  if (row.paused) return 'paused'
  if (row.phase === 'complete') return 'seeding'
  return transfer?.state === 'downloading' ? 'downloading' : 'resolving'
}

/** Those who take part, then those who were only found so far. */
function peersOf({ row, members, traffic, transfer, addressOf }: ShareView): PeerInfo[] {
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
    ...(moved.get(peer) ?? NOTHING),
  }))
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

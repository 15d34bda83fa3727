/** What a share looks like from outside: its row in the catalogue, its transfer if one runs, and its traffic. */
import type { ShareRow } from '../store/types.ts'
import type { Traffic } from './traffic.ts'
import type { Transfer } from './transfer.ts'
import type { BannedPeer, PeerInfo, ShareInfo, ShareState } from './types.ts'

export interface ShareView {
  readonly row: ShareRow
  readonly transfer: Transfer | undefined
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

function peersOf({ row, traffic, transfer, addressOf }: ShareView): PeerInfo[] {
  const moved = traffic.peers(row.root).map(({ peer, ...figures }) => ({
    id: peer,
    wire: 'bitswap' as const,
    address: addressOf(peer),
    ...figures,
  }))
  const known = new Set<string>(moved.map((peer) => peer.id))
  const idle = [...(transfer?.peers ?? [])].filter((peer) => !known.has(peer))
  const nothing = { uploaded: 0, downloaded: 0, rates: { up: 0, down: 0 } }
  return [
    ...moved,
    ...idle.map((id) => ({ id, wire: 'bitswap' as const, address: addressOf(id), ...nothing })),
  ]
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)

/** The status as people read it: for each share its name, its CID, one line of figures, its peers, then what is wrong. */
import { printable } from '../core/cid.ts'
import { formatBytes, formatDuration, formatRate } from '../core/units.ts'
import type { PeerInfo, ShareInfo } from '../node/types.ts'

/** The busiest peers are shown; `--json` has all. */
const MOST_PEERS = 20

export function statusText(shares: readonly ShareInfo[]): string {
  if (shares.length === 0) return 'nothing is shared yet: `share add PATH`, or `share get CID`'
  return shares.map(shareText).join('\n\n')
}

function shareText(share: ShareInfo): string {
  const { rates, peers } = share
  const moved = [
    `up ${formatRate(rates.up)} (${formatBytes(share.uploaded)})`,
    `down ${formatRate(rates.down)} (${formatBytes(share.downloaded)})`,
    peers.length === 1 ? '1 peer' : `${peers.length} peers`,
  ]
  const lines = [
    printable(share.name),
    share.cid,
    [share.state, amount(share), ...moved].join('  '),
    ...limitLines(share),
    ...peerLines(share),
    ...share.damaged.map(({ file, reason }) => `damaged: ${printable(file)}: ${printable(reason)}`),
    ...share.banned.map(({ id, reason }) => `banned: ${printable(id)}: ${printable(reason)}`),
  ]
  if (share.error !== undefined)
    lines.push(`${printable(share.error.message)}; ${printable(share.error.hint)}`)
  return lines.map((line, at) => (at === 0 ? line : `  ${line}`)).join('\n')
}

function limitLines({ limits }: ShareInfo): string[] {
  const set = (['up', 'down'] as const).filter((direction) => limits[direction] > 0)
  if (set.length === 0) return []
  return [`limited: ${set.map((direction) => `${direction} ${formatRate(limits[direction])}`).join(', ')}`]
}

function peerLines({ peers, pieces }: ShareInfo): string[] {
  const busiest = peers.toSorted((a, b) => b.rates.up + b.rates.down - a.rates.up - a.rates.down)
  const lines = busiest.slice(0, MOST_PEERS).map((peer) => peerLine(peer, pieces.total))
  const more = peers.length - lines.length
  return more === 0 ? lines : [...lines, `and ${more} more`]
}

/** `share    12D3KooW…JLYZmP  64 of 256 pieces  up 0 B/s  down 22 MB/s  interested, chokes us`. */
function peerLine(peer: PeerInfo, total: number): string {
  const { id, wire, rates } = peer
  const figures = [
    wire.padEnd(8),
    printable(id.length > 16 ? `${id.slice(0, 8)}…${id.slice(-6)}` : id),
    `${peer.pieces} of ${total} pieces`,
    `up ${formatRate(rates.up)}`,
    `down ${formatRate(rates.down)}`,
    standing(peer),
  ]
  return figures.filter((figure) => figure !== '').join('  ')
}

function standing(peer: PeerInfo): string {
  const words: [boolean, string][] = [
    [peer.interested, 'we are interested'],
    [peer.choked, 'it chokes us'],
    [peer.wanted, 'it is interested'],
    [peer.choking, 'we choke it'],
    [peer.snubbed, 'snubbed'],
  ]
  return words.flatMap(([holds, word]) => (holds ? [word] : [])).join(', ')
}

function amount({ state, size, have, rates }: ShareInfo): string {
  if (size === 0 && state !== 'seeding') return 'size not known yet'
  if (have === size) return formatBytes(size)
  const percent = Math.floor((100 * have) / size)
  const left = rates.down > 0 ? `, ${formatDuration((size - have) / rates.down)} left` : ''
  return `${formatBytes(have)} of ${formatBytes(size)} (${percent} %${left})`
}

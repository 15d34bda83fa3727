/** The status as people read it: for each share its name, its CID, one line of figures, its peers, then what is wrong. */
import { printable } from '../core/cid.ts'
import { formatBytes, formatDuration, formatRate } from '../core/units.ts'
import type { DiscoveryInfo, PeerInfo, ShareInfo } from '../node/types.ts'

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
    ...torrentLines(share),
    [share.state, amount(share), ...moved].join('  '),
    ...limitLines(share),
    ...peerLines(share),
    ...share.discovery.map(discoveryLine),
    ...share.damaged.map(({ file, reason }) => `damaged: ${printable(file)}: ${printable(reason)}`),
    ...share.banned.map(({ id, reason }) => `banned: ${printable(id)}: ${printable(reason)}`),
  ]
  if (share.error !== undefined)
    lines.push(`${printable(share.error.message)}; ${printable(share.error.hint)}`)
  return lines.map((line, at) => (at === 0 ? line : `  ${line}`)).join('\n')
}

function torrentLines({ infoHashes, only, mismatch }: ShareInfo): string[] {
  const hashes = [infoHashes.v1, infoHashes.v2].filter((hash) => hash !== undefined)
  return [
    ...(hashes.length === 0 ? [] : [`torrent ${hashes.join(' ')}`]),
    ...(only.length === 0 ? [] : [`only ${only.map((pattern) => printable(pattern)).join(', ')}`]),
    ...(mismatch === undefined ? [] : [`mismatch: ${mismatch}`]),
  ]
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
    // the ends of a peer id tell it apart, but a gateway is known by its URL
    printable(id.length > 16 && wire !== 'http' ? `${id.slice(0, 8)}…${id.slice(-6)}` : id),
    `${peer.pieces} of ${total} pieces`,
    `up ${formatRate(rates.up)}`,
    `down ${formatRate(rates.down)}`,
    standing(peer),
  ]
  return figures.filter((figure) => figure !== '').join('  ')
}

/** `tracker udp://…: 3 seeders, 2 leechers, 4 peers; again in 12 min`. */
function discoveryLine({ kind, url, peers, seeders, leechers, error, next }: DiscoveryInfo): string {
  const told = [count(seeders, 'seeder'), count(leechers, 'leecher'), count(peers, 'peer')]
  const words = error === undefined ? told.filter((each) => each !== '').join(', ') : printable(error)
  const wait = next === undefined ? 0 : (Date.parse(next) - Date.now()) / 1000
  const again = wait > 1 ? `; again in ${formatDuration(wait)}` : ''
  return `${NAMES[kind]}${url === undefined ? '' : ` ${printable(url)}`}: ${words || 'not asked yet'}${again}`
}

const NAMES = { tracker: 'tracker', dht: 'BitTorrent DHT', lsd: 'local discovery' } as const

function count(number: number | undefined, what: string): string {
  return number === undefined ? '' : `${number} ${what}${number === 1 ? '' : 's'}`
}

function standing(peer: PeerInfo): string {
  const words: [boolean, string][] = [
    [peer.via === 'relayed', 'through a relay'],
    [peer.interested, 'we are interested'],
    [peer.choked, 'it chokes us'],
    [peer.wanted, 'it is interested'],
    [peer.choking, 'we choke it'],
    [peer.snubbed, 'snubbed'],
    [peer.problem !== undefined, printable(peer.problem ?? '')],
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

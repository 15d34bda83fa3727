/**
 * What may happen next, drawn at random: mostly what fits the books, so that swarms get somewhere; and events that
 * fit nothing, as hostile peers and late messages bring them.
 */
import { type PeerKey, peerKey, type RootKey, rootKey } from '../../src/core/types.ts'
import type { SwarmEvent, Wire } from '../../src/swarm/events.ts'
import fc from './seeded.ts'
import type { Books, PeerBooks, SwarmBooks } from './swarm-books.ts'

export const ROOTS: readonly RootKey[] = ['R', 'S'].map(rootKey)

/** The first letter of a peer tells its wire. */
const WIRES: Readonly<Record<string, Wire>> = { s: 'share', t: 'bittorrent', b: 'bitswap' }

export const PEERS: readonly PeerKey[] = ['s1', 's2', 's3', 't1', 't2', 'b1', 'b2'].map(peerKey)

export const wireOf = (peer: PeerKey): Wire => WIRES[peer[0] ?? ''] ?? 'share'

const SIZES = [1, 16_384, 300_000, 1 << 20, 4 << 20]

/** Numbers that a move takes its choices from. */
export interface Draw {
  readonly root: number
  readonly peer: number
  readonly piece: number
  readonly how: number
}

export interface Move {
  readonly kind: Kind
  readonly draw: Draw
  readonly wild: SwarmEvent
  /** Ms that pass before. */
  readonly pause: number
  /** Or else until the scheduler wants to be woken. */
  readonly punctual: boolean
}

type Choose = (swarm: SwarmBooks, draw: Draw) => SwarmEvent | undefined

const nth = <T>(list: Iterable<T>, at: number): T | undefined => {
  const all = [...list]
  return all[at % Math.max(1, all.length)]
}

const someOf = (pieces: readonly number[], mask: number): number[] =>
  pieces.filter((piece) => ((mask >> (piece % 16)) & 1) === 1)

/** Somebody of whom this is true. */
const peerWith = (
  swarm: SwarmBooks,
  { peer }: Draw,
  holds: (one: PeerBooks) => boolean,
): PeerBooks | undefined => nth([...swarm.peers.values()].filter(holds), peer)

/** A choice that concerns one peer of the swarm. */
const withPeer =
  (
    holds: (peer: PeerBooks) => boolean,
    choose: (peer: PeerBooks, swarm: SwarmBooks, draw: Draw) => Bare | undefined,
  ): Choose =>
  (swarm, draw) => {
    const peer = peerWith(swarm, draw, holds)
    const event = peer === undefined ? undefined : choose(peer, swarm, draw)
    return event === undefined ? undefined : ({ ...event, root: swarm.root, peer: peer?.key } as SwarmEvent)
  }

type Bare<E = SwarmEvent> = E extends { peer: unknown } ? Omit<E, 'root' | 'peer'> : never

const pieceOf = (swarm: SwarmBooks, { piece }: Draw): number => piece % Math.max(1, swarm.sizes.length)

const any = (): boolean => true
const shares = ({ wire }: PeerBooks): boolean => wire === 'share'
const isAsked = ({ open }: PeerBooks): boolean => open.size > 0
const runs = ({ asked }: PeerBooks): boolean => asked.some(({ delivered }) => delivered !== undefined)

const MOVES = {
  join: (swarm, { peer, how }) => {
    const key = nth(PEERS, peer)
    if (key === undefined) return undefined
    const wire = wireOf(key)
    const event = { type: 'joined', root: swarm.root, peer: key, wire } as const
    return wire === 'bitswap' ? event : { ...event, has: someOf([...swarm.sizes.keys()], how) }
  },
  leave: withPeer(any, () => ({ type: 'left' })),
  has: withPeer(any, (_, swarm, { how }) => ({ type: 'has', pieces: someOf([...swarm.sizes.keys()], how) })),
  lacks: withPeer(
    ({ wire }) => wire === 'bitswap',
    (_, swarm, { how }) => ({ type: 'lacks', pieces: someOf([...swarm.sizes.keys()], how) }),
  ),
  expects: withPeer(shares, (_, swarm, draw) => ({
    type: draw.how % 3 === 0 ? 'expects-no-more' : 'expects',
    pieces: [pieceOf(swarm, draw)],
  })),
  choke: withPeer(
    ({ wire }) => wire !== 'bitswap',
    (_, __, { how }) => ({ type: how % 4 === 0 ? 'choked' : 'unchoked' }),
  ),
  interest: withPeer(
    ({ wire }) => wire !== 'bitswap',
    (_, __, { how }) => ({ type: how % 4 === 0 ? 'uninterested' : 'interested' }),
  ),
  offer: withPeer(shares, (peer, swarm, draw) => {
    const piece = pieceOf(swarm, draw)
    // where the two cross, the wire takes the request as the answer
    if (swarm.size(piece) === undefined || peer.open.has(piece)) return undefined
    const terms = { rate: draw.peer * 10_000, start: draw.how % 500 }
    return { type: 'offered', piece, eager: draw.how % 3 === 0, ...terms }
  }),
  idle: withPeer(shares, (_, __, { how }) => ({ type: 'idle', rate: how * 1_000, start: 0 })),
  suggest: withPeer(
    ({ wire }) => wire === 'bittorrent',
    (_, swarm, draw) => ({ type: 'suggested', piece: pieceOf(swarm, draw) }),
  ),
  arrive: withPeer(isAsked, (peer, swarm, { piece, how }) => {
    const open = nth(peer.open.values(), piece)
    if (open === undefined) return undefined
    if (peer.wire === 'bitswap') return { type: how % 8 === 0 ? 'progressed' : 'received', piece: open.piece }
    const left = open.end - open.at
    const length = Math.max(1, Math.floor((left * (1 + (how % 4))) / 4))
    // a frame that was on its way when the rest was taken back may go over the end
    const over = how % 16 === 0 ? Math.min(16_384, (swarm.size(open.piece) ?? 0) - open.end) : 0
    return { type: 'arrived', piece: open.piece, begin: open.at, length: over > 0 ? left + over : length }
  }),
  reject: withPeer(
    (peer) => isAsked(peer) && peer.wire !== 'bitswap',
    (peer, _, { piece }) => {
      const open = nth(peer.open.values(), piece)
      if (open === undefined) return undefined
      return { type: 'rejected', piece: open.piece, begin: open.at, length: open.end - open.at }
    },
  ),
  settle: (swarm, { piece, how }) => {
    const [one, state] = nth(swarm.settling, piece) ?? []
    if (one === undefined) return undefined
    const well = how % 6 !== 0
    const type =
      state === 'checking' ? (well ? 'verified' : 'refuted') : well ? 'stored' : ('store-failed' as const)
    return { type, root: swarm.root, piece: one }
  },
  ask: withPeer(any, (peer, swarm, draw) => {
    const piece = nth(swarm.have, draw.piece) ?? pieceOf(swarm, draw)
    const size = swarm.size(piece)
    if (size === undefined || peer.asked.some((one) => one.piece === piece)) return undefined
    const half = peer.wire !== 'bitswap' && draw.how % 4 === 0 && size > 1
    const length = half ? Math.floor(size / 2) : size
    const eager = peer.givenUp.has(piece) ? undefined : peer.offers.get(piece)?.eager
    if (eager === true) return { type: 'accepted', piece }
    return { type: 'requested', piece, begin: size - length, length, offered: eager === false }
  }),
  answer: withPeer(
    ({ offers }) => offers.size > 0,
    (peer, swarm, { piece: at, how }) => {
      const [piece, standing] = nth(peer.offers, at) ?? []
      if (piece === undefined || standing === undefined || peer.givenUp.has(piece)) return undefined
      if (how % 6 === 0) return { type: 'declined', piece }
      if (how % 6 === 1) return { type: 'busy', piece, ms: how }
      if (standing.eager) return { type: 'accepted', piece }
      return { type: 'requested', piece, begin: 0, length: swarm.size(piece) ?? 1, offered: true }
    },
  ),
  wave: withPeer(shares, (_, __, { how }) =>
    how % 2 === 0 ? { type: 'declined', piece: undefined } : { type: 'busy', piece: undefined, ms: how },
  ),
  deliver: withPeer(runs, (peer, _, { piece: at, how }) => {
    const send = nth(
      peer.asked.filter(({ delivered }) => delivered !== undefined),
      at,
    )
    if (send === undefined) return undefined
    const { piece, begin, length } = send
    const left = Math.max(1, length - (send.delivered ?? 0))
    if (how % 16 === 0) return { type: 'send-failed', piece, begin }
    if (how % 16 === 1) return { type: 'shortened', piece, begin, length: Math.floor(length / 2) }
    return { type: how % 4 === 2 ? 'sent' : 'delivered', piece, begin, bytes: how % 3 === 0 ? left : 16_384 }
  }),
  urgent: (swarm, { how }) => ({
    type: 'urgent',
    root: swarm.root,
    pieces: someOf([...swarm.sizes.keys()], how),
  }),
  grow: (swarm, { piece, how }) => {
    if (swarm.final) return undefined
    const sizes = SIZES.slice(0, piece % 4)
    const found = how % 4 === 0 && sizes.length > 0 ? [swarm.sizes.length] : []
    return { type: 'grown', root: swarm.root, sizes, found, final: how % 5 === 0 }
  },
  limit: ({ root }, { piece, how }) => {
    const down = [0, 0, 1_000, 100_000, 10_000_000][how % 5] ?? 0
    return piece % 2 === 0 ? { type: 'limited', down } : { type: 'limited', down, root }
  },
  wake: () => ({ type: 'woke' }),
} satisfies Record<string, Choose>

type Kind = keyof typeof MOVES | 'wild'

/** How often each is drawn. */
const WEIGHTS: Readonly<Record<Kind, number>> = {
  ...{ join: 4, leave: 1, has: 4, lacks: 1, expects: 2, choke: 4, interest: 4 },
  ...{ offer: 8, idle: 3, suggest: 1, arrive: 16, reject: 1, settle: 16 },
  ...{ ask: 4, answer: 8, wave: 2, deliver: 8, urgent: 1, grow: 2, limit: 1, wake: 4, wild: 6 },
}

/** The peer wire closes on a peer that asks for the same bytes twice, and nobody hears of the second time. */
function getsThrough(event: SwarmEvent, books: Books): boolean {
  if (event.type !== 'requested' || wireOf(event.peer) === 'bitswap') return true
  const asked = books.peer(event.root, event.peer)?.asked ?? []
  return !asked.some(({ piece }) => piece === event.piece)
}

/** What the move is, as things are; undefined where there is nothing that it could be. */
export function eventOf({ kind, draw, wild }: Move, books: Books): SwarmEvent | undefined {
  if (kind === 'wild') return getsThrough(wild, books) ? wild : undefined
  const swarm = nth(books.swarms.values(), draw.root)
  return swarm === undefined ? undefined : MOVES[kind](swarm, draw)
}

// --- events that fit nothing

const root = fc.constantFrom('R', 'S', 'unknown').map(rootKey)
const peer = fc.constantFrom(...PEERS)
const sharing = fc.constantFrom(...PEERS.filter((key) => wireOf(key) === 'share'))
const piece = fc.oneof(fc.integer({ min: -1, max: 8 }), fc.constantFrom(2 ** 31, 2 ** 32 - 1))
const pieces = fc.array(piece, { maxLength: 9 })
const sizes = fc.array(fc.constantFrom(...SIZES), { maxLength: 6 })
const span = { begin: fc.constantFrom(0, 8, 16_384), length: fc.constantFrom(8, 16_384, 1 << 20) }
const terms = { rate: fc.constantFrom(0, 1, 1e6, 2 ** 32 - 1), start: fc.constantFrom(0, 100, 2 ** 32 - 1) }
const ms = fc.constantFrom(0, 50, 2 ** 32 - 1)
const maybePiece = fc.option(piece, { nil: undefined })

const wild: fc.Arbitrary<SwarmEvent> = fc.oneof(
  fc.record({ type: fc.constant('opened' as const), root, sizes, have: pieces, final: fc.boolean() }),
  fc.record({ type: fc.constant('closed' as const), root }),
  fc.record({ type: fc.constantFrom('verified', 'stored', 'store-failed', 'refuted'), root, piece }),
  fc.record({ type: fc.constant('urgent' as const), root, pieces }),
  peer.chain((key) =>
    fc.record({
      type: fc.constant('joined' as const),
      root,
      peer: fc.constant(key),
      wire: fc.constant(wireOf(key)),
    }),
  ),
  fc.record({ type: fc.constant('left' as const), root, peer }),
  fc.record({ type: fc.constantFrom('has', 'lacks', 'expects', 'expects-no-more'), root, peer, pieces }),
  fc.record({ type: fc.constantFrom('interested', 'uninterested', 'progressed'), root, peer }),
  fc.record({ type: fc.constant('misbehaved' as const), root, peer, reason: fc.constant('nonsense') }),
  fc.record({ type: fc.constantFrom('received', 'suggested', 'accepted'), root, peer, piece }),
  fc.record({ type: fc.constantFrom('arrived', 'rejected', 'shortened'), root, peer, piece, ...span }),
  fc.record({
    type: fc.constant('offered' as const),
    root,
    peer: sharing,
    piece,
    eager: fc.boolean(),
    ...terms,
  }),
  fc.record({ type: fc.constant('idle' as const), root, peer: sharing, ...terms }),
  fc.record({
    type: fc.constant('requested' as const),
    root,
    peer,
    piece,
    offered: fc.constant(false),
    ...span,
  }),
  fc.record({ type: fc.constant('declined' as const), root, peer, piece: maybePiece }),
  fc.record({ type: fc.constant('busy' as const), root, peer, piece: maybePiece, ms }),
  fc.record({
    type: fc.constantFrom('sent', 'delivered'),
    root,
    peer,
    piece,
    begin: span.begin,
    bytes: fc.constantFrom(1, 16_384),
  }),
  fc.record({ type: fc.constant('send-failed' as const), root, peer, piece, begin: span.begin }),
) as fc.Arbitrary<SwarmEvent>

export const move: fc.Arbitrary<Move> = fc.record({
  kind: fc.oneof(
    ...Object.entries(WEIGHTS).map(([kind, weight]) => ({ weight, arbitrary: fc.constant(kind as Kind) })),
  ),
  draw: fc.record({ root: fc.nat(8), peer: fc.nat(40), piece: fc.nat(40), how: fc.nat(60_000) }),
  wild,
  pause: fc.constantFrom(0, 0, 1, 20, 200, 2_500, 20_000),
  punctual: fc.boolean(),
})

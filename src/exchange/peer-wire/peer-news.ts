/** Peer exchange between `share` nodes: who else is in the swarm, and where. Multiaddrs and peer ids stay bytes here. */
import {
  asDictionary,
  type BencodeValue,
  bytesAt,
  decodeBencode,
  encodeBencode,
  listAt,
} from '../../core/bencode.ts'
import { MalformedBencode } from '../../core/bencode-guard.ts'
import { WireViolation } from './violation.ts'

interface KnownPeer {
  /** The libp2p peer id, as a multihash. */
  readonly id: Uint8Array
  /** Multiaddrs without the peer id. */
  readonly addresses: readonly Uint8Array[]
}

export interface PeerNews {
  readonly added: readonly KnownPeer[]
  /** Peer ids of those that left. */
  readonly dropped: readonly Uint8Array[]
}

/** Peers of each kind in one message, as in BEP 11. What goes beyond this and the next three is left out. */
export const MAX_PEERS = 50

/** An identity multihash of an Ed25519 key has 38 bytes, the hash of an RSA key 34. */
const MAX_ID_BYTES = 64

const MAX_ADDRESSES = 8

/** A DNS name with transport and certificate hashes fits; a relay address too. */
const MAX_ADDRESS_BYTES = 256

/** All of the above, filled, is 110 KB; real messages have a few hundred bytes. */
const MAX_NEWS_BYTES = 128 << 10

export function encodePeers({ added, dropped }: PeerNews): Uint8Array {
  return encodeBencode({
    added: added
      .slice(0, MAX_PEERS)
      .map(({ id, addresses }) => ({ a: addresses.slice(0, MAX_ADDRESSES), id })),
    dropped: dropped.slice(0, MAX_PEERS),
  })
}

/** @throws WireViolation when it is no dictionary; entries of another kind in it are left out */
export function decodePeers(payload: Uint8Array): PeerNews {
  const news = asDictionary(decoded(payload))
  if (news === undefined) throw new WireViolation('malformed', 'peer news that is no dictionary')
  const added = (listAt(news, 'added') ?? []).slice(0, MAX_PEERS).flatMap(knownPeer)
  const dropped = (listAt(news, 'dropped') ?? []).slice(0, MAX_PEERS).filter(isPeerId)
  return { added, dropped }
}

function decoded(payload: Uint8Array): BencodeValue {
  try {
    return decodeBencode(payload, { maxBytes: MAX_NEWS_BYTES })
  } catch (cause) {
    if (!(cause instanceof MalformedBencode)) throw cause
    throw new WireViolation('malformed', `peer news: ${cause.message}`, { cause })
  }
}

function knownPeer(value: BencodeValue): readonly KnownPeer[] {
  const peer = asDictionary(value)
  const id = peer && bytesAt(peer, 'id')
  if (peer === undefined || id === undefined || !isPeerId(id)) return []
  const addresses = (listAt(peer, 'a') ?? []).slice(0, MAX_ADDRESSES).filter(isAddress)
  return [{ id, addresses }]
}

function isPeerId(value: BencodeValue): value is Uint8Array {
  return value instanceof Uint8Array && value.length > 0 && value.length <= MAX_ID_BYTES
}

function isAddress(value: BencodeValue): value is Uint8Array {
  return value instanceof Uint8Array && value.length > 0 && value.length <= MAX_ADDRESS_BYTES
}

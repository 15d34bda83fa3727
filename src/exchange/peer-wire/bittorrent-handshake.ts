/**
 * The 68 bytes that begin every BitTorrent connection over TCP (BEP 3): the protocol's name, eight bytes of flags, the info
 * hash, and the peer's own id. Whoever was dialled learns from the info hash which torrent is meant, and may answer before
 * the id is there. Of a v2 torrent the hash is cut to 20 bytes (BEP 52).
 */
import { WireViolation } from './violation.ts'

const NAME = Buffer.from('\x13BitTorrent protocol', 'latin1')
const FLAG_BYTES = 8
/** Of an info hash, and of a peer's id. */
const ID_BYTES = 20

const FLAGS_AT = NAME.length
const HASH_AT = FLAGS_AT + FLAG_BYTES
const PEER_AT = HASH_AT + ID_BYTES
const HANDSHAKE_BYTES = PEER_AT + ID_BYTES

/** What the flags say that a peer speaks: each by its byte and bit. */
const FLAGS = {
  /** The extension protocol (BEP 10). */
  extended: [5, 0x10],
  /** A DHT node (BEP 5). */
  dht: [7, 0x01],
  /** The fast extension (BEP 6). */
  fast: [7, 0x04],
  /** A hybrid's v2 side too (BEP 52). Never of a torrent of v1 alone: libtorrent hangs up. */
  v2: [7, 0x10],
} as const

type HandshakeFlag = keyof typeof FLAGS
const ALL_FLAGS = Object.keys(FLAGS) as readonly HandshakeFlag[]

export interface BittorrentHandshake {
  readonly flags: ReadonlySet<HandshakeFlag>
  /** 20 bytes. */
  readonly infoHash: Uint8Array
  /** 20 bytes. */
  readonly peerId: Uint8Array
}

/** @throws RangeError for ids of another length */
export function encodeBittorrentHandshake({ flags, infoHash, peerId }: BittorrentHandshake): Uint8Array {
  if (infoHash.length !== ID_BYTES || peerId.length !== ID_BYTES) throw new RangeError('ids have 20 bytes')
  const bytes = new Uint8Array(HANDSHAKE_BYTES)
  bytes.set(NAME)
  for (const flag of flags) {
    const [byte, bit] = FLAGS[flag]
    bytes[FLAGS_AT + byte] = (bytes[FLAGS_AT + byte] ?? 0) | bit
  }
  bytes.set(infoHash, HASH_AT)
  bytes.set(peerId, PEER_AT)
  return bytes
}

/** Takes the handshake from the beginning of a stream, in any chunks. */
export class HandshakeReader {
  readonly #bytes = new Uint8Array(HANDSHAKE_BYTES)
  #filled = 0

  /** The bytes behind the handshake, once it is whole; undefined before. @throws WireViolation at the first byte that is another protocol's */
  push(chunk: Uint8Array): Uint8Array | undefined {
    const taken = chunk.subarray(0, HANDSHAKE_BYTES - this.#filled)
    this.#bytes.set(taken, this.#filled)
    this.#filled += taken.length
    const named = Math.min(this.#filled, NAME.length)
    if (NAME.compare(this.#bytes, 0, named, 0, named) !== 0)
      throw new WireViolation('malformed', 'not the BitTorrent protocol')
    return this.#filled === HANDSHAKE_BYTES ? chunk.subarray(taken.length) : undefined
  }

  /** Undefined until it is there. */
  get infoHash(): Uint8Array | undefined {
    return this.#filled < PEER_AT ? undefined : this.#bytes.slice(HASH_AT, PEER_AT)
  }

  get handshake(): BittorrentHandshake | undefined {
    const { infoHash } = this
    if (infoHash === undefined || this.#filled < HANDSHAKE_BYTES) return undefined
    const flags = ALL_FLAGS.filter((flag) => {
      const [byte, bit] = FLAGS[flag]
      return ((this.#bytes[FLAGS_AT + byte] ?? 0) & bit) !== 0
    })
    return { flags: new Set(flags), infoHash, peerId: this.#bytes.slice(PEER_AT) }
  }
}

/**
 * The messages between `share` nodes that BitTorrent has not, carried by BEP 10: the uploader offers, the receiver
 * accepts or declines. Those sent often are fixed binary, numbers of 32 bits, big-endian; peer exchange is bencode.
 * A payload of another shape is a violation: a message that changes its shape gets a new name.
 * docs/protocol.md shows the bytes.
 */
import { decodePeers, encodePeers, type PeerNews } from './peer-news.ts'
import { MAX_UINT32, readUint32, writeUint32 } from './uint32.ts'
import { WireViolation } from './violation.ts'

/** The names under which a handshake lists them, with the ids by which we want to be sent them. */
export const EXTENSION_IDS = {
  share_offer: 1,
  share_decline: 2,
  share_busy: 3,
  share_expect: 4,
  share_ack: 5,
  share_pex: 6,
} as const

export type ExtensionName = keyof typeof EXTENSION_IDS

const NAMES: ReadonlyMap<number, ExtensionName> = new Map(
  Object.entries(EXTENSION_IDS).map(([name, id]) => [id, name as ExtensionName]),
)

/** How an uploader can serve: bytes a second, and milliseconds until it can start. Both stop at 2^32 - 1. */
export interface Terms {
  readonly rate: number
  readonly start: number
}

export type ExtensionMessage =
  /** Without an index: nothing to offer, but a free uplink; hand over a part of something. `eager`: its bytes follow at once. */
  | ({
      readonly name: 'share_offer'
      readonly index: number | undefined
      readonly eager: boolean
    } & Terms)
  /** The offered piece is not wanted; without an index, nothing is handed over. */
  | { readonly name: 'share_decline'; readonly index: number | undefined }
  /** Not now: too much is coming in for this many milliseconds. */
  | { readonly name: 'share_busy'; readonly index: number | undefined; readonly milliseconds: number }
  /** This piece is coming to me from somebody, or, withdrawn, is not any more. */
  | { readonly name: 'share_expect'; readonly index: number; readonly withdrawn: boolean }
  /** So many more bytes of pieces have arrived. */
  | { readonly name: 'share_ack'; readonly bytes: number }
  | ({ readonly name: 'share_pex' } & PeerNews)

/** First byte of an offer. */
const OFFER = { empty: 0, piece: 1, eager: 2 } as const

/** The payload, without the two bytes of id before it. */
export function encodeExtension(message: ExtensionMessage): Uint8Array {
  switch (message.name) {
    case 'share_offer': {
      const terms = [saturated(message.rate), saturated(message.start)]
      if (message.index === undefined) return packed([OFFER.empty], terms)
      return packed([message.eager ? OFFER.eager : OFFER.piece], [...terms, message.index])
    }
    case 'share_decline':
      return packed([], optional(message.index))
    case 'share_busy':
      return packed([], [saturated(message.milliseconds), ...optional(message.index)])
    case 'share_expect':
      return packed([message.withdrawn ? 1 : 0], [message.index])
    case 'share_ack':
      return packed([], [message.bytes])
    case 'share_pex':
      return encodePeers(message)
  }
}

/**
 * What a payload says that came under one of our ids; undefined when we gave out no such id.
 * @throws WireViolation
 */
export function decodeExtension(id: number, payload: Uint8Array): ExtensionMessage | undefined {
  const name = NAMES.get(id)
  switch (name) {
    case undefined:
      return undefined
    case 'share_offer':
      return decodeOffer(payload)
    case 'share_decline':
      expectLength(name, payload, 0, 4)
      return { name, index: optionalAt(payload, 0) }
    case 'share_busy':
      expectLength(name, payload, 4, 8)
      return { name, milliseconds: readUint32(payload, 0), index: optionalAt(payload, 4) }
    case 'share_expect':
      expectLength(name, payload, 5)
      return { name, index: readUint32(payload, 1), withdrawn: flag(name, payload[0]) }
    case 'share_ack':
      expectLength(name, payload, 4)
      return { name, bytes: readUint32(payload, 0) }
    case 'share_pex':
      return { name, ...decodePeers(payload) }
  }
}

function decodeOffer(payload: Uint8Array): ExtensionMessage {
  const name = 'share_offer'
  const [kind] = payload
  if (kind !== OFFER.empty && kind !== OFFER.piece && kind !== OFFER.eager) throw malformed(name)
  expectLength(name, payload, kind === OFFER.empty ? 9 : 13)
  return {
    name,
    index: optionalAt(payload, 9),
    eager: kind === OFFER.eager,
    rate: readUint32(payload, 1),
    start: readUint32(payload, 5),
  }
}

function packed(first: readonly number[], numbers: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(first.length + 4 * numbers.length)
  bytes.set(first)
  for (const [at, number] of numbers.entries()) writeUint32(bytes, first.length + 4 * at, number)
  return bytes
}

function optional(index: number | undefined): readonly number[] {
  return index === undefined ? [] : [index]
}

function optionalAt(payload: Uint8Array, at: number): number | undefined {
  return payload.length > at ? readUint32(payload, at) : undefined
}

function flag(name: ExtensionName, byte: number | undefined): boolean {
  if (byte !== 0 && byte !== 1) throw malformed(name)
  return byte === 1
}

/** An estimate as a whole number that fits. */
function saturated(estimate: number): number {
  return Math.min(MAX_UINT32, Math.max(0, Math.round(estimate)))
}

function expectLength(name: ExtensionName, payload: Uint8Array, ...lengths: readonly number[]): void {
  if (!lengths.includes(payload.length)) throw malformed(name)
}

function malformed(name: ExtensionName): WireViolation {
  return new WireViolation('malformed', `a ${name} message of a wrong shape`)
}

/**
 * The packets of trackers over UDP (BEP 15), big-endian. A call begins with `connect`, whose answer is an id that stands for
 * our address for a minute; then comes `announce`. Each answer repeats the number of its question, which nobody who is not on
 * the way can guess. What follows the fixed fields are options (BEP 41): the path of the tracker's URL.
 */

import { printable } from '../core/cid.ts'
import { type Endpoint, type Family, unpackEndpoints } from '../core/endpoint.ts'
import { type AnnounceRequest, MOST_PEERS, TrackerError } from './announce.ts'

/** What begins every `connect`. */
const PROTOCOL = 0x417_2710_1980n

const ACTION = { connect: 0, announce: 1, error: 3 } as const

const EVENTS = { completed: 1, started: 2, stopped: 3 } as const

const CONNECT_BYTES = 16
const ANNOUNCE_BYTES = 98
const ANSWER_HEAD_BYTES = 20

/** BEP 41: an option of the URL's path and query, in parts of at most 255 bytes. */
const URL_DATA = 2
const MOST_OPTION_BYTES = 255

const MESSAGE_CHARACTERS = 200

export type UdpAnswer =
  | { readonly type: 'connected'; readonly transaction: number; readonly connection: bigint }
  | {
      readonly type: 'announced'
      readonly transaction: number
      /** Seconds. */
      readonly interval: number
      readonly leechers: number
      readonly seeders: number
      readonly peers: readonly Endpoint[]
    }
  | { readonly type: 'error'; readonly transaction: number; readonly message: string }

export function encodeConnect(transaction: number): Uint8Array {
  const packet = new DataView(new ArrayBuffer(CONNECT_BYTES))
  packet.setBigUint64(0, PROTOCOL)
  packet.setUint32(8, ACTION.connect)
  packet.setUint32(12, transaction)
  return new Uint8Array(packet.buffer)
}

/** @param path of the tracker's URL, with its query; empty or `/` is not sent */
export function encodeAnnounce(
  connection: bigint,
  transaction: number,
  request: AnnounceRequest,
  path = '',
): Uint8Array {
  const { infoHash, peerId, downloaded, left, uploaded, event, key, wanted, port } = request
  const options = pathOptions(path)
  const bytes = new Uint8Array(ANNOUNCE_BYTES + options.length)
  const packet = new DataView(bytes.buffer)
  packet.setBigUint64(0, connection)
  packet.setUint32(8, ACTION.announce)
  packet.setUint32(12, transaction)
  bytes.set(infoHash.subarray(0, 20), 16)
  bytes.set(peerId.subarray(0, 20), 36)
  packet.setBigUint64(56, BigInt(downloaded))
  packet.setBigUint64(64, BigInt(left))
  packet.setBigUint64(72, BigInt(uploaded))
  packet.setUint32(80, event === undefined ? 0 : EVENTS[event])
  // 84 to 87: the address that the packet came from
  packet.setUint32(88, key)
  packet.setInt32(92, wanted)
  packet.setUint16(96, port)
  bytes.set(options, ANNOUNCE_BYTES)
  return bytes
}

function pathOptions(path: string): Uint8Array {
  if (path === '' || path === '/') return new Uint8Array(0)
  const text = Buffer.from(path)
  const parts: Uint8Array[] = []
  for (let at = 0; at < text.length; at += MOST_OPTION_BYTES) {
    const part = text.subarray(at, at + MOST_OPTION_BYTES)
    parts.push(Uint8Array.of(URL_DATA, part.length), part)
  }
  return Buffer.concat(parts)
}

/**
 * @param family of the tracker's address, which is that of the peers
 * @throws TrackerError malformed
 */
export function decodeUdpAnswer(bytes: Uint8Array, family: Family): UdpAnswer {
  const packet = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 8) throw malformed(bytes)
  const transaction = packet.getUint32(4)
  switch (packet.getUint32(0)) {
    case ACTION.connect:
      if (bytes.length < CONNECT_BYTES) throw malformed(bytes)
      return { type: 'connected', transaction, connection: packet.getBigUint64(8) }
    case ACTION.announce:
      if (bytes.length < ANSWER_HEAD_BYTES) throw malformed(bytes)
      return {
        type: 'announced',
        transaction,
        interval: packet.getUint32(8),
        leechers: packet.getUint32(12),
        seeders: packet.getUint32(16),
        peers: unpackEndpoints(bytes.subarray(ANSWER_HEAD_BYTES), family, MOST_PEERS),
      }
    case ACTION.error:
      return {
        type: 'error',
        transaction,
        message: printable(Buffer.from(bytes.subarray(8)).toString('utf8'), MESSAGE_CHARACTERS),
      }
    default:
      throw malformed(bytes)
  }
}

function malformed({ length }: Uint8Array): TrackerError {
  return new TrackerError('malformed', `a packet of ${length} bytes that is no tracker's answer`)
}

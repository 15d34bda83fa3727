/** The handshake of 68 bytes at the beginning of a TCP connection, on either side. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Endpoint } from '../../core/endpoint.ts'
import { asError } from '../../core/errors.ts'
import {
  type BittorrentHandshake,
  encodeBittorrentHandshake,
  HandshakeReader,
} from '../../exchange/peer-wire/bittorrent-handshake.ts'
import { type InfoHashes, wireHashes } from '../info.ts'

/** From the first packet to the end of the peer's handshake. */
const CONNECT_MS = 10_000
const HANDSHAKE_MS = 10_000

/** What a socket may hold of ours: a few turns of the uplink. Beyond it, the order could not be changed any more. */
const HIGH_WATER_BYTES = 256 << 10

/** What is read at a time, into memory that is used again: Node would take new memory for each read, a GiB of it for a GiB. */
const READ_BYTES = 128 << 10

/** Who spoke, and what of the stream came with it. */
export interface Shaken {
  readonly handshake: BittorrentHandshake
  readonly rest: Uint8Array
}

/**
 * The bytes of a `data` event of this socket are there for as long as that lasts.
 * @throws Error when nobody answers
 */
export async function dial({ host, port }: Endpoint, signal: AbortSignal): Promise<Socket> {
  const onread = {
    buffer: new Uint8Array(READ_BYTES),
    callback: (length: number, buffer: Uint8Array): boolean => {
      socket.emit('data', buffer.subarray(0, length))
      return true
    },
  }
  const options = { host, port, writableHighWaterMark: HIGH_WATER_BYTES, signal, onread }
  const socket: Socket = connect(options)
  try {
    await once(socket, 'connect', { signal: AbortSignal.any([signal, AbortSignal.timeout(CONNECT_MS)]) })
    return socket
  } catch (thrown) {
    socket.destroy()
    throw thrown
  }
}

/**
 * Reads the peer's handshake; nothing of what follows it is lost, and the socket is paused then.
 * @throws WireViolation for another protocol; Error when the connection ends or nothing comes
 */
export function readHandshake(socket: Socket, signal: AbortSignal): Promise<Shaken> {
  const reader = new HandshakeReader()
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => fail(new Error('no handshake came')), HANDSHAKE_MS)
    const onAbort = (): void => fail(new Error('not needed any more'))
    const onEnd = (): void => fail(new Error('it hung up'))
    const onData = (chunk: Uint8Array): void => {
      try {
        const rest = reader.push(chunk)
        const { handshake } = reader
        if (rest === undefined || handshake === undefined) return
        settle()
        socket.pause()
        resolve({ handshake, rest: new Uint8Array(rest) })
      } catch (thrown) {
        fail(asError(thrown))
      }
    }
    function settle(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      socket.off('data', onData).off('close', onEnd).off('error', fail)
    }
    function fail(error: Error): void {
      settle()
      // what comes of the socket from now on is nobody's business
      socket.on('error', () => {})
      socket.destroy()
      reject(error)
    }
    if (signal.aborted) {
      onAbort()
      return
    }
    signal.addEventListener('abort', onAbort)
    socket.on('data', onData).on('close', onEnd).on('error', fail)
  })
}

/**
 * What we say, for the torrent with these hashes.
 * @param theirs the handshake that is answered
 */
export function ourHandshake(
  hashes: InfoHashes,
  { peerId, dht }: { readonly peerId: Uint8Array; readonly dht: boolean },
  theirs?: BittorrentHandshake,
): Uint8Array {
  const [first, second] = wireHashes(hashes)
  if (first === undefined) throw new RangeError('no info hash')
  // who calls a hybrid by its v1 hash and knows v2 is answered by v2's
  const upgrade = theirs?.flags.has('v2') === true && second !== undefined
  const infoHash = theirs === undefined ? first : upgrade ? second : theirs.infoHash
  const flags = new Set<'extended' | 'fast' | 'dht' | 'v2'>(['extended', 'fast'])
  if (dht) flags.add('dht')
  if (hashes.v2 !== undefined) flags.add('v2')
  return encodeBittorrentHandshake({ flags, infoHash, peerId })
}

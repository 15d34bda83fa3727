/** The extended handshake (BEP 10) as BitTorrent clients send it over TCP: what `share` nodes tell each other stands in handshake.ts. */
import { bytesAt, encodeBencode, integerAt } from '../../core/bencode.ts'
import { decodeHandshake } from './handshake.ts'

export interface TorrentGreeting {
  /** Names of extensions, with the ids by which the sender wants to be sent them; 0 takes one back. */
  readonly extensions: ReadonlyMap<string, number>
  readonly version: string | undefined
  /** Requests that the sender takes at once. */
  readonly requests: number
  /** Where it listens, for whoever was dialled by it. */
  readonly port: number | undefined
  /** Bytes of the info dictionary (BEP 9). A claim: nothing is to be made of that size. */
  readonly metadataSize: number | undefined
  /** It wants nothing any more (BEP 21). */
  readonly uploadOnly: boolean
  /** The receiver's own address as the sender sees it, 4 or 16 bytes. */
  readonly yourIp: Uint8Array | undefined
}

export function encodeTorrentGreeting(greeting: TorrentGreeting): Uint8Array {
  return encodeBencode({
    m: new Map(greeting.extensions),
    metadata_size: greeting.metadataSize,
    p: greeting.port,
    reqq: greeting.requests,
    upload_only: greeting.uploadOnly ? 1 : undefined,
    v: greeting.version,
    yourip: greeting.yourIp,
  })
}

/** What is unknown or of another kind counts as absent. @throws WireViolation */
export function decodeTorrentGreeting(payload: Uint8Array): TorrentGreeting {
  const { extensions, version, requests, dictionary } = decodeHandshake(payload)
  const port = integerAt(dictionary, 'p') ?? 0
  const metadataSize = integerAt(dictionary, 'metadata_size') ?? 0
  const yourIp = bytesAt(dictionary, 'yourip')
  return {
    extensions,
    version,
    requests,
    port: port > 0 && port <= 0xffff ? port : undefined,
    metadataSize: metadataSize > 0 ? metadataSize : undefined,
    uploadOnly: integerAt(dictionary, 'upload_only') === 1,
    yourIp: yourIp?.length === 4 || yourIp?.length === 16 ? yourIp : undefined,
  }
}

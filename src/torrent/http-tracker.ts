/** Trackers over HTTP (BEP 3): an announce is the query of a URL, its answer a bencoded dictionary, with peers in the compact form (BEP 23, 7) or as a list. */
import {
  asDictionary,
  type BencodeDictionary,
  type BencodeValue,
  bytesAt,
  decodeBencode,
  integerAt,
  listAt,
  textAt,
} from '../core/bencode.ts'
import { MalformedBencode } from '../core/bencode-guard.ts'
import { printable } from '../core/cid.ts'
import { type Endpoint, endpoint, unpackEndpoints } from '../core/endpoint.ts'
import {
  type AnnounceAnswer,
  type AnnounceRequest,
  MOST_PEERS,
  saneInterval,
  TrackerError,
} from './announce.ts'

/** 500 peers as a list of dictionaries, of either family, have 50 KB. */
export const MAX_ANSWER_BYTES = 256 << 10
const MAX_ANSWER_VALUES = 10_000

/** Of a tracker's own words. */
const MESSAGE_CHARACTERS = 200

/** Opaque, and sent back: bounded all the same. */
const MAX_TRACKER_ID_BYTES = 256

/** The URL to fetch. What the tracker's own URL has as a query stays. */
export function announceUrl(tracker: string, request: AnnounceRequest): string {
  const { infoHash, peerId, port, uploaded, downloaded, left, event, wanted, key, trackerId } = request
  const fields = [
    `info_hash=${escaped(infoHash)}`,
    `peer_id=${escaped(peerId)}`,
    `port=${port}`,
    `uploaded=${uploaded}`,
    `downloaded=${downloaded}`,
    `left=${left}`,
    'compact=1',
    `numwant=${wanted}`,
    `key=${key.toString(16).padStart(8, '0')}`,
    ...(event === undefined ? [] : [`event=${event}`]),
    ...(trackerId === undefined ? [] : [`trackerid=${escaped(trackerId)}`]),
  ]
  const [address = ''] = tracker.split('#')
  return `${address}${address.includes('?') ? '&' : '?'}${fields.join('&')}`
}

/** Each byte for itself: these are no texts. */
function escaped(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => {
    const character = String.fromCharCode(byte)
    return /[\w.~-]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }).join('')
}

/** @throws TrackerError */
export function decodeAnnounceAnswer(body: Uint8Array): AnnounceAnswer {
  const answer = decoded(body)
  const failure = textAt(answer, 'failure reason')
  if (failure !== undefined) throw new TrackerError('refused', printable(failure, MESSAGE_CHARACTERS))
  const warning = textAt(answer, 'warning message')
  const trackerId = bytesAt(answer, 'tracker id')
  const peers = [...peersOf(answer), ...unpackEndpoints(bytesAt(answer, 'peers6') ?? NOTHING, 6, MOST_PEERS)]
  return {
    interval: saneInterval(integerAt(answer, 'interval')),
    minInterval: saneInterval(integerAt(answer, 'min interval') ?? integerAt(answer, 'interval')),
    peers: peers.slice(0, MOST_PEERS),
    seeders: countAt(answer, 'complete'),
    leechers: countAt(answer, 'incomplete'),
    warning: warning === undefined ? undefined : printable(warning, MESSAGE_CHARACTERS),
    trackerId: trackerId !== undefined && trackerId.length <= MAX_TRACKER_ID_BYTES ? trackerId : undefined,
  }
}

const NOTHING = new Uint8Array(0)

function decoded(body: Uint8Array): BencodeDictionary {
  try {
    const answer = asDictionary(
      decodeBencode(body, { maxBytes: MAX_ANSWER_BYTES, maxValues: MAX_ANSWER_VALUES }),
    )
    if (answer !== undefined) return answer
  } catch (cause) {
    if (!(cause instanceof MalformedBencode)) throw cause
    throw new TrackerError('malformed', `the tracker's answer is malformed: ${cause.message}`, { cause })
  }
  throw new TrackerError('malformed', "the tracker's answer is no dictionary")
}

function peersOf(answer: BencodeDictionary): Endpoint[] {
  const compact = bytesAt(answer, 'peers')
  if (compact !== undefined) return unpackEndpoints(compact, 4, MOST_PEERS)
  return (listAt(answer, 'peers') ?? []).slice(0, MOST_PEERS).flatMap(listedPeer)
}

/** By IP address alone: a tracker that gives host names could have us look up anything. */
function listedPeer(value: BencodeValue): Endpoint[] {
  const peer = asDictionary(value)
  const found = peer && endpoint(textAt(peer, 'ip') ?? '', integerAt(peer, 'port') ?? 0)
  return found === undefined ? [] : [found]
}

function countAt(answer: BencodeDictionary, key: string): number | undefined {
  const count = integerAt(answer, key)
  return count !== undefined && count >= 0 ? count : undefined
}

/**
 * What a delegated router answers, in either form: JSON records a line, as they are found, or one JSON object with a list.
 * Read within bounds: the whole, each line, the number of records, of addresses and their lengths. What is no record of a
 * peer that may speak Bitswap is left out; what is no such answer at all is an error. Source:
 * https://specs.ipfs.tech/routing/http-routing-v1/
 */
import type { PeerId } from '@libp2p/interface'
import { peerIdFromCID, peerIdFromString } from '@libp2p/peer-id'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { CID } from 'multiformats/cid'

export interface FoundPeer {
  readonly id: PeerId
  /** May be empty. */
  readonly multiaddrs: Multiaddr[]
}

/** Bytes of an answer, and of one of its lines: a record has some hundred. */
const MOST_BYTES = 1 << 20
const MOST_LINE_BYTES = 64 << 10

/** More peers than that cost only dials. */
const MOST_RECORDS = 100

const MOST_ADDRESSES = 50
const MOST_ADDRESS_CHARACTERS = 1024

/** A record that names no protocol may be of any. */
const BITSWAP = 'transport-bitswap'

export type AnswerForm = 'lines' | 'object'

/** The peers as they come. @throws Error, its message the end of the sentence "it …" */
export async function* readAnswer(
  body: AsyncIterable<Uint8Array>,
  form: AnswerForm,
): AsyncGenerator<FoundPeer, void, undefined> {
  let count = 0
  for await (const record of form === 'lines' ? lines(body) : list(body)) {
    if (count++ === MOST_RECORDS) return
    const peer = peerOf(record)
    if (peer !== undefined) yield peer
  }
}

async function* lines(body: AsyncIterable<Uint8Array>): AsyncGenerator<unknown> {
  let rest = Buffer.alloc(0)
  for await (const chunk of bounded(body)) {
    rest = Buffer.concat([rest, chunk])
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      yield* record(rest.subarray(0, end))
      rest = rest.subarray(end + 1)
    }
    if (rest.length > MOST_LINE_BYTES) throw new Error('sent a line without end')
  }
  yield* record(rest)
}

function* record(line: Uint8Array): Generator<unknown> {
  const text = Buffer.from(line).toString().trim()
  if (text !== '') yield parsed(text)
}

async function* list(body: AsyncIterable<Uint8Array>): AsyncGenerator<unknown> {
  const answer = parsed(Buffer.concat(await Array.fromAsync(bounded(body))).toString())
  if (!isObject(answer)) throw new Error('sent JSON that is no answer')
  const { Providers, Peers } = answer
  const records = Providers ?? Peers ?? []
  if (!Array.isArray(records)) throw new Error('sent JSON that is no answer')
  yield* records
}

async function* bounded(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > MOST_BYTES) throw new Error('sent too much')
    yield chunk
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error('sent what is not JSON')
  }
}

/** Of schema `peer`, or of the older `bitswap`, which have the same fields. */
function peerOf(record: unknown): FoundPeer | undefined {
  if (!isObject(record)) return undefined
  const { Schema, ID, Addrs, Protocols } = record
  if ((Schema !== 'peer' && Schema !== 'bitswap') || typeof ID !== 'string') return undefined
  if (Array.isArray(Protocols) && Protocols.length > 0 && !Protocols.includes(BITSWAP)) return undefined
  const id = peerIdOf(ID)
  if (id === undefined) return undefined
  const texts: unknown[] = Array.isArray(Addrs) ? Addrs.slice(0, MOST_ADDRESSES) : []
  return { id, multiaddrs: texts.flatMap(addressOf) }
}

/** In any of its forms: `12D3…`, `Qm…`, or a CID. */
function peerIdOf(text: string): PeerId | undefined {
  try {
    return /^(1|Qm)/.test(text) ? peerIdFromString(text) : peerIdFromCID(CID.parse(text))
  } catch {
    return undefined
  }
}

function addressOf(text: unknown): Multiaddr[] {
  if (typeof text !== 'string' || text.length > MOST_ADDRESS_CHARACTERS) return []
  try {
    return [multiaddr(text)]
  } catch {
    return []
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

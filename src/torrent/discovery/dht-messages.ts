/**
 * The messages of the mainline DHT (BEP 5), made anew of the fields that are known and have the right shape. The library
 * behind this trusts what it is given: a few bytes can keep it busy for ever, and a target that is no string ends the
 * process. So nothing reaches it but what was built here.
 */
import {
  asDictionary,
  type BencodeDictionary,
  bytesAt,
  decodeBencode,
  dictionaryAt,
  encodeBencode,
  integerAt,
  listAt,
  textAt,
} from '../../core/bencode.ts'
import { MalformedBencode } from '../../core/bencode-guard.ts'
import { type Endpoint, endpoint, packEndpoints, unpackEndpoints } from '../../core/endpoint.ts'
import { reaches, reachOfIp } from '../../core/ip-reach.ts'

export const NODE_ID_BYTES = 20

/** One datagram; larger ones are fragmented and lost. */
const MAX_BYTES = 1500
/** A hundred peers and what is around them. */
const MAX_VALUES = 200

/** An answer names 8 nodes, some clients' 20; 26 bytes each. */
const MOST_NODES = 32
const NODE_BYTES = NODE_ID_BYTES + 6
const MOST_PEERS = 100

/** Whoever asks chose it; two bytes with most clients, four here. */
const MAX_TRANSACTION_BYTES = 16
const MAX_TOKEN_BYTES = 64

export interface Query {
  readonly kind: 'query'
  readonly transaction: Uint8Array
  readonly method: 'ping' | 'find_node' | 'get_peers' | 'announce_peer'
  /** What the method takes: `target`, `info_hash`, `token`, `port`, `implied_port`. Never the asker's id. */
  readonly given: Readonly<Record<string, Uint8Array | number>>
  /** It asks and does not answer (BEP 43). */
  readonly readOnly: boolean
}

export interface Answer {
  readonly kind: 'answer'
  readonly transaction: Uint8Array
  /** `id`, `token`, `nodes`, `values`. */
  readonly told: Readonly<Record<string, Uint8Array | readonly Uint8Array[]>>
  /** Our address as they see it (BEP 42). */
  readonly seen: Endpoint | undefined
}

interface Refusal {
  readonly kind: 'refusal'
  readonly transaction: Uint8Array
  readonly code: number
}

/** A question that this node does not understand, and should say so. */
export interface Unknown {
  readonly kind: 'unknown'
  readonly transaction: Uint8Array
}

export type DhtMessage = Query | Answer | Refusal | Unknown

/**
 * Undefined for what is no message of the DHT.
 * @param from the sender's address: nodes and peers that mean something else here than there are left out
 */
export function readDhtMessage(packet: Uint8Array, from: string): DhtMessage | undefined {
  const message = decoded(packet)
  const transaction = message && bytesAt(message, 't')
  if (message === undefined || transaction === undefined) return undefined
  if (transaction.length === 0 || transaction.length > MAX_TRANSACTION_BYTES) return undefined
  switch (textAt(message, 'y')) {
    case 'q':
      return readQuery(message, transaction)
    case 'r':
      return readAnswer(message, transaction, from)
    case 'e':
      return { kind: 'refusal', transaction, code: codeOf(message) }
    default:
      return undefined
  }
}

function decoded(packet: Uint8Array): BencodeDictionary | undefined {
  try {
    return asDictionary(decodeBencode(packet, { maxBytes: MAX_BYTES, maxValues: MAX_VALUES }))
  } catch (thrown) {
    if (thrown instanceof MalformedBencode) return undefined
    throw thrown
  }
}

function readQuery(message: BencodeDictionary, transaction: Uint8Array): DhtMessage | undefined {
  const given = dictionaryAt(message, 'a')
  if (given === undefined || idAt(given, 'id') === undefined) return undefined
  const readOnly = integerAt(message, 'ro') === 1
  const query = (method: Query['method'], fields: Query['given'] | undefined): Query | undefined =>
    fields && { kind: 'query', transaction, method, given: fields, readOnly }
  switch (textAt(message, 'q')) {
    case 'ping':
      return query('ping', {})
    case 'get_peers':
      return query('get_peers', fieldsOf(given, ['info_hash']))
    case 'announce_peer':
      return query('announce_peer', announced(given))
    case 'find_node':
    // BEP 44: values are not kept here; who asks for one is told of nodes nearer to it
    case 'get':
      return query('find_node', fieldsOf(given, ['target']))
    default:
      return { kind: 'unknown', transaction }
  }
}

function fieldsOf(given: BencodeDictionary, names: readonly string[]): Query['given'] | undefined {
  const fields: Record<string, Uint8Array> = {}
  for (const name of names) {
    const id = idAt(given, name)
    if (id === undefined) return undefined
    fields[name] = id
  }
  return fields
}

function announced(given: BencodeDictionary): Query['given'] | undefined {
  const fields = fieldsOf(given, ['info_hash'])
  const token = bytesAt(given, 'token')
  const implied = integerAt(given, 'implied_port') === 1
  const port = integerAt(given, 'port') ?? 0
  if (fields === undefined || token === undefined || token.length > MAX_TOKEN_BYTES) return undefined
  if (!implied && (port <= 0 || port > 0xffff)) return undefined
  return { ...fields, token, port, implied_port: implied ? 1 : 0 }
}

function readAnswer(
  message: BencodeDictionary,
  transaction: Uint8Array,
  from: string,
): DhtMessage | undefined {
  const told = dictionaryAt(message, 'r')
  const id = told && idAt(told, 'id')
  if (told === undefined || id === undefined) return undefined
  const token = bytesAt(told, 'token')
  const nodes = bytesAt(told, 'nodes')
  const values = listAt(told, 'values')
  const link = reachOfIp(from)
  const usable = ({ host }: Endpoint): boolean => reaches(reachOfIp(host), link)
  return {
    kind: 'answer',
    transaction,
    told: {
      id,
      ...(token !== undefined && token.length <= MAX_TOKEN_BYTES && { token }),
      ...(nodes !== undefined && { nodes: usableNodes(nodes, usable) }),
      ...(values !== undefined && { values: usablePeers(values, usable) }),
    },
    seen: unpackEndpoints(bytesAt(message, 'ip') ?? new Uint8Array(0), 4, 1)[0],
  }
}

function usableNodes(packed: Uint8Array, usable: (node: Endpoint) => boolean): Uint8Array {
  const nodes: Uint8Array[] = []
  for (let at = 0; at + NODE_BYTES <= packed.length && nodes.length < MOST_NODES; at += NODE_BYTES) {
    const node = packed.subarray(at, at + NODE_BYTES)
    const [address] = unpackEndpoints(node.subarray(NODE_ID_BYTES), 4, 1)
    if (address !== undefined && usable(address)) nodes.push(node)
  }
  return Buffer.concat(nodes)
}

function usablePeers(values: readonly unknown[], usable: (peer: Endpoint) => boolean): readonly Uint8Array[] {
  const packed = values.filter((value) => value instanceof Uint8Array).filter(({ length }) => length === 6)
  const peers = packed.flatMap((value) => unpackEndpoints(value, 4, 1)).filter(usable)
  return peers.slice(0, MOST_PEERS).map((peer) => packEndpoints([peer], 4))
}

function idAt(dictionary: BencodeDictionary, key: string): Uint8Array | undefined {
  const id = bytesAt(dictionary, key)
  return id?.length === NODE_ID_BYTES ? id : undefined
}

function codeOf(message: BencodeDictionary): number {
  const [code] = listAt(message, 'e') ?? []
  return typeof code === 'number' ? code : 0
}

/** A message that was checked, as the library reads it, under a number of the library's own where it asked. */
export function forLibrary(message: Exclude<DhtMessage, Unknown>, transaction: Uint8Array): Uint8Array {
  switch (message.kind) {
    case 'query':
      return encodeBencode({ t: transaction, y: 'q', q: message.method, a: message.given })
    case 'answer':
      return encodeBencode({ t: transaction, y: 'r', r: message.told })
    case 'refusal':
      return encodeBencode({ t: transaction, y: 'e', e: [message.code, 'refused'] })
  }
}

/** What the library sends: that it asks, and the number of it. Its own words are taken as they are. */
export function readOwn(packet: Uint8Array): { readonly fields: BencodeDictionary; readonly asks: boolean } {
  const fields = asDictionary(decodeBencode(packet, { maxBytes: packet.length })) ?? {}
  return { fields, asks: textAt(fields, 'y') === 'q' }
}

/** A question under another number. */
export function askedAs(fields: BencodeDictionary, transaction: Uint8Array): Uint8Array {
  return encodeBencode({ ...fields, t: transaction })
}

/** An answer that fits into a datagram, and tells whom it goes to how he is seen (BEP 42). */
export function answeredTo(fields: BencodeDictionary, { host, port }: Endpoint): Uint8Array {
  const told = dictionaryAt(fields, 'r')
  const values = told && listAt(told, 'values')
  const asker = endpoint(host, port)
  return encodeBencode({
    ...fields,
    ...(told !== undefined &&
      values !== undefined && { r: { ...told, values: values.slice(0, MOST_PEERS) } }),
    ...(told !== undefined && asker !== undefined && { ip: packEndpoints([asker], 4) }),
  })
}

/** BEP 5: 204, method unknown. */
export function notUnderstood({ transaction }: Unknown): Uint8Array {
  return encodeBencode({ t: transaction, y: 'e', e: [204, 'Method Unknown'] })
}

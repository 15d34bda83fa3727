/** What a DHT node keeps from one run to the next, as bytes: its id, and nodes that it knew. Disposable. */
import { asDictionary, bytesAt, decodeBencode, encodeBencode } from '../../core/bencode.ts'
import { MalformedBencode } from '../../core/bencode-guard.ts'
import { packEndpoints, unpackEndpoints } from '../../core/endpoint.ts'
import { NODE_ID_BYTES } from './dht-messages.ts'
import type { DhtState } from './mainline-dht.ts'

const MAX_BYTES = 64 << 10
const MOST_NODES = 1000

export function encodeDhtState({ id, nodes }: DhtState): Uint8Array {
  return encodeBencode({ id, nodes: packEndpoints(nodes, 4) })
}

/** Undefined for bytes that are no state. */
export function decodeDhtState(bytes: Uint8Array): DhtState | undefined {
  try {
    const kept = asDictionary(decodeBencode(bytes, { maxBytes: MAX_BYTES }))
    const id = kept && bytesAt(kept, 'id')
    if (kept === undefined || id?.length !== NODE_ID_BYTES) return undefined
    return { id, nodes: unpackEndpoints(bytesAt(kept, 'nodes') ?? new Uint8Array(0), 4, MOST_NODES) }
  } catch (thrown) {
    if (thrown instanceof MalformedBencode) return undefined
    throw thrown
  }
}

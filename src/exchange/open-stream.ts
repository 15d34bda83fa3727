/**
 * A new stream with a peer, on the best connection there is: a direct one before one through a relay, which is counted
 * and cut by the relay. libp2p's own `dialProtocol` passes a limited connection over and dials again.
 */
import type { Connection, Libp2p, PeerId, Stream } from '@libp2p/interface'

export interface OpenStreamOptions {
  readonly signal: AbortSignal
  readonly maxOutboundStreams: number
}

/** @throws what libp2p throws when nobody answers, or the peer speaks none of the protocols */
export async function openStream(
  libp2p: Libp2p,
  peer: PeerId,
  protocols: string | string[],
  options: OpenStreamOptions,
): Promise<Stream> {
  const connection = bestConnection(libp2p.getConnections(peer))
  const all = { ...options, runOnLimitedConnection: true }
  return connection === undefined
    ? await libp2p.dialProtocol(peer, protocols, all)
    : await connection.newStream(protocols, all)
}

/** The one that streams are opened on. */
export function bestConnection(connections: readonly Connection[]): Connection | undefined {
  const open = connections.filter(({ status }) => status === 'open')
  return open.find(({ limits }) => limits === undefined) ?? open[0]
}

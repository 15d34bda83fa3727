/** A libp2p node without anything of the program but its transport. */
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import type { Libp2p, Stream } from '@libp2p/interface'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'

export interface PeerOptions {
  /** Where it listens; by default on a port of loopback. */
  readonly listen?: string[]
  /** The address that it calls from. */
  readonly from?: string
  /** It can be met at relays, and meet others there. */
  readonly relayed?: boolean
}

/** In ms. Dozens of them share a process and a core with the rest of the tests: a shake of hands may take seconds. */
const PATIENCE_MS = 60_000

export function createPeer({ listen, from, relayed = false }: PeerOptions = {}): Promise<Libp2p> {
  // all of it goes to node:net, of which the types tell a part
  const calling = { noDelay: true, localAddress: from }
  return createLibp2p({
    addresses: { listen: listen ?? ['/ip4/127.0.0.1/tcp/0'] },
    transports: [
      tcp(from === undefined ? {} : { dialOpts: calling }),
      ...(relayed ? [circuitRelayTransport()] : []),
    ],
    connectionEncrypters: [tls()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    connectionManager: {
      dialTimeout: PATIENCE_MS,
      addressDialTimeout: PATIENCE_MS,
      inboundUpgradeTimeout: PATIENCE_MS,
      inboundStreamProtocolNegotiationTimeout: PATIENCE_MS,
      outboundStreamProtocolNegotiationTimeout: PATIENCE_MS,
    },
    services: { identify: identify(), ping: ping() },
  })
}

/** Sends, however slowly the other side reads, and until it hangs up. */
export async function send(stream: Stream, ...parts: Uint8Array[]): Promise<void> {
  const closed = new Promise((resolve) => stream.addEventListener('close', resolve, { once: true }))
  for (const part of parts) if (!stream.send(part)) await Promise.race([stream.onDrain(), closed])
}

/** A libp2p node without anything of the program but its transport. */
import { identify } from '@libp2p/identify'
import type { Libp2p, Stream } from '@libp2p/interface'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'

export function createPeer(): Promise<Libp2p> {
  return createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [tls()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    services: { identify: identify(), ping: ping() },
  })
}

/** Sends, however slowly the other side reads, and until it hangs up. */
export async function send(stream: Stream, ...parts: Uint8Array[]): Promise<void> {
  const closed = new Promise((resolve) => stream.addEventListener('close', resolve, { once: true }))
  for (const part of parts) if (!stream.send(part)) await Promise.race([stream.onDrain(), closed])
}

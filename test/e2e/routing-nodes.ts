/** libp2p nodes of this process on loopback, each with its routing and a home of its own. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PeerId } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'
import type { Config } from '../../src/node/config.ts'
import { loadPrivateKey } from '../../src/node/identity.ts'
import { createLibp2pNode, type ShareLibp2p } from '../../src/node/libp2p.ts'
import { DelegatedRouting } from '../../src/routing/delegated.ts'
import { createRouting, type Routing } from '../../src/routing/routing.ts'

export const LOOPBACK: Config = {
  listen: ['/ip4/127.0.0.1/tcp/0'],
  announce: [],
  bootstrap: [],
  'limits.up': 0,
  'limits.down': 0,
  'discovery.mdns': false,
  dht: 'auto',
  'wire.share': true,
  'torrent.listen': 'off',
  'torrent.trackers': [],
  'torrent.trackers.local': false,
  'torrent.dht': 'off',
  'torrent.dht.bootstrap': [],
  'torrent.lsd': false,
  gateway: 'off',
  'pages.listen': 'off',
  'pages.url': 'none',
  'routing.delegated': [],
  'sources.http': [],
  'reach.upnp': false,
  'reach.autonat': false,
  'reach.relay': false,
  'reach.punch': false,
  'relay.serve': false,
  'transport.websocket': false,
  'transport.quic': false,
  'peers.max': 100,
}

export interface RoutingNode {
  readonly home: string
  readonly libp2p: ShareLibp2p
  readonly routing: Routing
  dial(other: RoutingNode): Promise<void>
  stop(): Promise<void>
}

export interface NodeOptions {
  readonly home?: string
  readonly config?: Partial<Config>
  readonly isBanned?: (peerId: string) => boolean
}

/** Nodes that `clear` stops, with the homes it removes. */
export class RoutingNodes {
  readonly #nodes: RoutingNode[] = []
  readonly #homes: string[] = []

  async home(): Promise<string> {
    const home = await mkdtemp(join(tmpdir(), 'share-routing-'))
    this.#homes.push(home)
    return home
  }

  async start(options: NodeOptions = {}): Promise<RoutingNode> {
    const home = options.home ?? (await this.home())
    const config = { ...LOOPBACK, ...options.config }
    const privateKey = await loadPrivateKey(home)
    const isBanned = options.isBanned ?? (() => false)
    const delegated = new DelegatedRouting(config['routing.delegated'], () => {})
    const { libp2p } = await createLibp2pNode({
      home,
      config,
      privateKey,
      delegated,
      userAgent: 'share/test',
      isBanned,
    })
    const routing = createRouting({ libp2p, bootstrap: config.bootstrap, delegated })
    const node: RoutingNode = {
      home,
      libp2p,
      routing,
      async dial(other) {
        await libp2p.dial(other.libp2p.getMultiaddrs())
      },
      async stop() {
        await routing.stop()
        await libp2p.stop()
      },
    }
    this.#nodes.push(node)
    return node
  }

  async clear(): Promise<void> {
    await Promise.all(this.#nodes.splice(0).map((node) => node.stop()))
    await Promise.all(this.#homes.splice(0).map((home) => rm(home, { recursive: true })))
  }
}

/** Waits that are in vain end after this long, in ms. */
const PATIENCE = 15_000

/** Looks at the condition every 20 ms until it holds. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = AbortSignal.timeout(PATIENCE)
  while (!(await condition())) {
    deadline.throwIfAborted()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** That peer's addresses, from rounds of finding providers repeated until it is among them with some. */
export async function find(node: RoutingNode, cid: CID, wanted: PeerId): Promise<string[]> {
  const signal = AbortSignal.timeout(PATIENCE)
  for (;;) {
    for await (const { id, multiaddrs } of node.routing.findProviders(cid, { signal })) {
      if (id.equals(wanted) && multiaddrs.length > 0) return multiaddrs.map(String)
    }
    signal.throwIfAborted()
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** The composition root: one peer with its store, its scheduler, its wires and its ways to find others. */

import { randomInt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { type Millis, millis, peerKey } from '../core/types.ts'
import { DelegatedRouting } from '../routing/delegated.ts'
import { createRouting } from '../routing/routing.ts'
import { openStore } from '../store/store.ts'
import { type Config, DEFAULT_CONFIG, tcpAddress } from './config.ts'
import { loadPrivateKey } from './identity.ts'
import { createLibp2pNode } from './libp2p.ts'
import { ShareNode } from './share-node.ts'
import { TorrentDiscovery } from './torrent-discovery.ts'
import type * as Api from './types.ts'
import { Wires } from './wires.ts'

export interface NodeOptions {
  /** The directory that holds the node's key, catalogue and blocks; one running node per home. */
  readonly home: string
  /** What differs from the defaults. */
  readonly config?: Partial<Config>
  readonly onLog?: (line: string) => void
}

const now = (): Millis => millis(performance.now())

/** Starts a peer. @throws ShareError ALREADY_RUNNING, CONFLICT (port taken), BAD_CONFIG, UNREADABLE */
export async function createNode(options: NodeOptions): Promise<Api.Node> {
  const { home, onLog = () => {} } = options
  const config = { ...DEFAULT_CONFIG, ...options.config }
  const store = await openStore(home, { logger: onLog })
  let node: ShareNode | undefined
  const wires = new Wires({
    store,
    now,
    seed: randomInt(2 ** 31),
    onBan: (root, banned) => node?.onBan(root, banned),
    log: onLog,
  })
  try {
    wires.limits.setAll({ up: config['limits.up'], down: config['limits.down'] })
    const version = `share/${await packageVersion()}`
    const delegated = new DelegatedRouting(config['routing.delegated'], onLog)
    const { libp2p, ways, neighbours } = await createLibp2pNode({
      home,
      config,
      delegated,
      privateKey: await loadPrivateKey(home),
      userAgent: version,
      isBanned: (peer) => wires.driver.isBanned(peerKey(peer)),
      register: (starting) =>
        wires.start(starting, {
          share: config['wire.share'],
          version,
          gateways: config['sources.http'],
          torrent: { listen: tcpAddress(config['torrent.listen']), most: config['peers.max'] },
        }),
    })
    for (const what of ways.missing) onLog(`not available: ${what}`)
    const routing = createRouting({ libp2p, bootstrap: config.bootstrap, delegated })
    const discovery = await TorrentDiscovery.open({
      home,
      config,
      wire: wires.torrent,
      userAgent: version,
      now,
      log: onLog,
    })
    node = new ShareNode({
      home,
      config,
      store,
      wires,
      libp2p,
      ways,
      neighbours,
      routing,
      discovery,
      trackers: config['torrent.trackers'],
      log: onLog,
    })
    return node
  } catch (thrown) {
    await store.close()
    throw thrown
  }
}

async function packageVersion(): Promise<string> {
  // the same two steps up from src/node and from dist/node
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8')
  const parsed: unknown = JSON.parse(text)
  const version =
    typeof parsed === 'object' && parsed !== null && 'version' in parsed ? parsed.version : undefined
  return typeof version === 'string' ? version : '0'
}

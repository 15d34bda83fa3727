/** The composition root: one peer with its store, its scheduler, its exchange and its ways to find others. */

import { randomInt } from 'node:crypto'
import { type Millis, millis, peerKey } from '../core/types.ts'
import { Bitswap } from '../exchange/bitswap/bitswap.ts'
import { createRouting } from '../routing/routing.ts'
import { openStore } from '../store/store.ts'
import { Limiter } from '../swarm/limiter.ts'
import { type Config, DEFAULT_CONFIG } from './config.ts'
import { loadPrivateKey } from './identity.ts'
import { createLibp2pNode } from './libp2p.ts'
import { ShareNode } from './share-node.ts'
import { SwarmDriver } from './swarm-driver.ts'
import type * as Api from './types.ts'

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
  try {
    const privateKey = await loadPrivateKey(home)
    const upLimiter = new Limiter()
    upLimiter.setRate(config['limits.up'], now())
    let node: ShareNode | undefined
    const driver = new SwarmDriver({
      store,
      now,
      seed: randomInt(2 ** 31),
      onBan: (root, banned) => node?.onBan(root, banned),
    })
    driver.limitDownload(config['limits.down'])
    let bitswap: Bitswap | undefined
    const libp2p = await createLibp2pNode({
      home,
      config,
      privateKey,
      isBanned: (peer) => driver.isBanned(peerKey(peer)),
      register: async (starting) => {
        bitswap = new Bitswap({ libp2p: starting, host: driver, limiter: upLimiter, now, log: onLog })
        driver.attach(bitswap)
        await bitswap.start()
      },
    })
    const routing = createRouting({ libp2p, bootstrap: config.bootstrap })
    node = new ShareNode({ store, driver, libp2p, routing, bitswap, log: onLog })
    return node
  } catch (thrown) {
    await store.close()
    throw thrown
  }
}

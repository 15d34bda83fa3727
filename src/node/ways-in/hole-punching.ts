/**
 * libp2p's DCUtR over TCP: two nodes that met through a relay dial each other at the same moment, each from the port
 * that the other's packets are let in for, and both dials become one connection (RFC 9293, simultaneous open). The
 * library does the talking. What it leaves out of the dials is added: they leave from the shared port to where that is
 * seen from outside, go on while they are refused, and only one side acts as the server of the handshake.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { dcutr } from '@libp2p/dcutr'
import type { Connection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { overridden } from '../../core/overridden.ts'
import { isRelayed, reachOf } from '../reach.ts'
import type { OutsideView } from './outside-view.ts'

type DcutrComponents = Parameters<ReturnType<typeof dcutr>>[0]
type OpenConnection = DcutrComponents['connectionManager']['openConnection']

/** A refusal says that the other side has not dialled yet: so soon it is tried again. */
const AGAIN_MS = 100

/** One meeting: the first packets may be dropped, and are sent again after one and three seconds. */
const MEETING = { timeout: 6_000, retries: 3 }

/** For libp2p's `services`. */
export async function holePunching(outside: OutsideView): Promise<(components: DcutrComponents) => unknown> {
  const { dcutr } = await import('@libp2p/dcutr')
  return (components) => {
    const { addressManager, transportManager } = components
    const openConnection: OpenConnection = (target, { signal, initiator } = {}) => {
      const addresses = Array.isArray(target) ? target : []
      return firstOf(addresses, signal ?? AbortSignal.timeout(MEETING.timeout), (address, stop) =>
        dialOn(transportManager, address, { signal: stop, initiator }),
      )
    }
    return dcutr(MEETING)({
      peerStore: components.peerStore,
      registrar: components.registrar,
      logger: components.logger,
      transportManager,
      connectionManager: overridden(components.connectionManager, { openConnection }),
      addressManager: overridden(addressManager, {
        getAddresses: () => [...outside.addresses, ...addressManager.getAddresses().filter(isOpen)],
      }),
    })
  }
}

function isOpen(address: Multiaddr): boolean {
  return reachOf(address) === 'world' && !isRelayed(address)
}

/** The first connection that comes about. It keeps its signal for as long as it lives, so that one must not fire later. */
async function firstOf(
  addresses: readonly Multiaddr[],
  signal: AbortSignal,
  dial: (address: Multiaddr, stop: AbortSignal) => Promise<Connection>,
): Promise<Connection> {
  const attempts = addresses.map((address) => ({ address, stop: new AbortController() }))
  const giveUp = (): void => {
    for (const { stop } of attempts) stop.abort()
  }
  signal.addEventListener('abort', giveUp)
  try {
    const first = await Promise.any(
      attempts.map(async ({ address, stop }) => ({ connection: await dial(address, stop.signal), stop })),
    )
    for (const { stop } of attempts) if (stop !== first.stop) stop.abort()
    return first.connection
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}

/** Dials until there is a connection, or the signal fires. */
async function dialOn(
  transports: DcutrComponents['transportManager'],
  address: Multiaddr,
  options: { readonly signal: AbortSignal; readonly initiator: boolean | undefined },
): Promise<Connection> {
  for (;;) {
    try {
      return await transports.dial(address, options)
    } catch (thrown) {
      if (options.signal.aborted) throw thrown
      await sleep(AGAIN_MS, undefined, { signal: options.signal })
    }
  }
}

/**
 * libp2p dials the addresses of a peer one after the other, and gives a dead one its whole time before it looks at the next.
 * Here its queue of dials begins them staggered; all else is as it was: the order, the limits, and one dial a peer at a time.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Address, Connection, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { staggered } from '../../core/staggered.ts'
import { patienceFor } from './address-order.ts'

/** Of one peer, under way at the same time. */
const MOST_AT_ONCE = 3

/** Of one peer, in all: whoever names more is of no use. */
const MOST_ADDRESSES = 25

/** The part of libp2p's queue that this needs, which is not among what libp2p promises. */
interface DialQueue {
  dialPeer(job: Job, signal: AbortSignal): Promise<Connection>
  calculateMultiaddrs(
    peer: PeerId | undefined,
    named: Set<string>,
    options: Job & { signal: AbortSignal },
  ): Promise<Address[]>
}

interface Job {
  readonly peerId?: PeerId
  /** To be dialled; a later dial of the same peer adds its own. None: those that the peer is known by. */
  readonly multiaddrs: Set<string>
}

/** For libp2p's `services`. @throws Error where libp2p has another queue */
export function staggeredDials({ connectionManager }: { connectionManager: object }): object {
  const queue = queueOf(connectionManager)
  const one = queue.dialPeer.bind(queue)
  const addressesOf = async (job: Job, signal: AbortSignal): Promise<Multiaddr[]> => {
    const named = new Set(job.multiaddrs)
    job.multiaddrs.clear()
    const all = await queue.calculateMultiaddrs(job.peerId, named, { ...job, signal })
    return all.slice(0, MOST_ADDRESSES).map(({ multiaddr: address }) => address)
  }
  queue.dialPeer = async (job, signal) => {
    for (;;) {
      const addresses = await addressesOf(job, signal)
      try {
        return await staggered(addresses, {
          attempt: (address, within) => one({ ...job, multiaddrs: new Set([address.toString()]) }, within),
          patience: patienceFor,
          most: MOST_AT_ONCE,
          signal,
          sleep: (ms, within) => sleep(ms, undefined, { signal: within }),
        })
      } catch (thrown) {
        // others may have been named meanwhile
        if (job.multiaddrs.size === 0 || signal.aborted) throw thrown
      }
    }
  }
  return {}
}

function queueOf(connectionManager: object): DialQueue {
  const { dialQueue } = connectionManager as { dialQueue?: Partial<DialQueue> }
  if (dialQueue?.dialPeer === undefined || dialQueue.calculateMultiaddrs === undefined)
    throw new Error('libp2p has another queue of dials than staggered-dials.ts knows')
  return dialQueue as DialQueue
}

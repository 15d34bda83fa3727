/**
 * The connections that this node has made through relays. A relay joins few pairs for one peer (one of ours eight, kubo's
 * sixteen) and refuses the next, so when another is made, old ones that nobody needs give way.
 */
import type { Connection, Libp2p } from '@libp2p/interface'
import { type PeerKey, peerKey } from '../../core/types.ts'
import { isRelayed } from '../reach.ts'

/** So many stay in any case: half of what a relay of ours allows. */
const MOST_KEPT = 4

/** One that was just made is for something that has not begun yet, in ms. */
const YOUNG_MS = 20_000

/** @param isNeeded whether something is to come from the peer, or to go to it */
export function keepRelayedCallsFew(
  libp2p: Pick<Libp2p, 'getConnections' | 'addEventListener'>,
  isNeeded: (peer: PeerKey) => boolean,
  now: () => number = Date.now,
): void {
  libp2p.addEventListener('connection:open', ({ detail }) => {
    if (!isRelayedCall(detail)) return
    const calls = libp2p.getConnections().filter(isRelayedCall)
    calls.sort((a, b) => a.timeline.open - b.timeline.open)
    for (const call of calls.slice(0, Math.max(0, calls.length - MOST_KEPT))) {
      const isYoung = now() - call.timeline.open < YOUNG_MS
      if (!isYoung && !isNeeded(peerKey(call.remotePeer.toString()))) hangUp(call)
    }
  })
}

function isRelayedCall({ direction, remoteAddr, status }: Connection): boolean {
  return direction === 'outbound' && status === 'open' && isRelayed(remoteAddr)
}

function hangUp(call: Connection): void {
  call.close().catch((error: Error) => call.abort(error))
}

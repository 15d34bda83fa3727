/**
 * The connections that this node has made through relays. A relay joins few pairs for one peer (one of ours eight, kubo's
 * sixteen) and refuses the next. Lookups in the DHT alone make as many in seconds, so those that nobody needs give way.
 */
import type { Connection, Libp2p } from '@libp2p/interface'
import { type PeerKey, peerKey } from '../../core/types.ts'
import { isRelayed } from '../reach.ts'

/** So many stay in any case: half of what a relay of ours allows. */
const MOST_KEPT = 4

/** One that was just made is for something that has not begun yet, in ms. */
const YOUNG_MS = 10_000

type Network = Pick<Libp2p, 'getConnections' | 'addEventListener'>

export class RelayedCalls {
  readonly #libp2p: Network
  readonly #isNeeded: (peer: PeerKey) => boolean
  #waiting = false

  /** @param isNeeded whether something is to come from the peer, or to go to it */
  constructor(libp2p: Network, isNeeded: (peer: PeerKey) => boolean) {
    this.#libp2p = libp2p
    this.#isNeeded = isNeeded
    libp2p.addEventListener('connection:open', ({ detail }) => {
      if (isRelayedCall(detail)) this.#lookLater()
    })
  }

  #lookLater(): void {
    if (this.#waiting) return
    this.#waiting = true
    setTimeout(() => {
      this.#waiting = false
      this.#look()
    }, YOUNG_MS).unref()
  }

  #look(): void {
    const calls = this.#libp2p.getConnections().filter(isRelayedCall)
    calls.sort((a, b) => a.timeline.open - b.timeline.open)
    let tooMany = calls.length - MOST_KEPT
    for (const call of calls) {
      const isYoung = Date.now() - call.timeline.open < YOUNG_MS
      if (tooMany <= 0 || isYoung) break
      if (this.#isNeeded(peerKey(call.remotePeer.toString()))) continue
      call.close().catch((error: Error) => call.abort(error))
      tooMany--
    }
    if (tooMany > 0) this.#lookLater()
  }
}

function isRelayedCall({ direction, remoteAddr, status }: Connection): boolean {
  return direction === 'outbound' && status === 'open' && isRelayed(remoteAddr)
}

/**
 * Joins the network through the bootstrap peers, and joins it again whenever it was lost: when the machine slept,
 * moved to another network, or started before its network did.
 */
import type { Libp2p, PeerId } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'

/** With this many connections the DHT finds the rest by itself. */
const ENOUGH = 4

/** Wait between two tries, in ms: doubled up to the last while it does not help. */
const FIRST_WAIT = 5_000
const LAST_WAIT = 300_000

/** Wait before a try that something gives occasion to, in ms: those that are lost are often lost together. */
const AGAIN = 1_000

/** One dial, in ms, with DNS. */
const DIAL_LIMIT = 15_000

export interface Joined {
  /** Tries now: the network has changed. */
  again(): void
  stop(): void
}

/** Starts at once. The addresses end in /p2p/PEER-ID. A bootstrap peer that is lost is dialled again soon. */
export function keepJoined(libp2p: Libp2p, bootstrap: readonly string[]): Joined {
  if (bootstrap.length === 0) return { again: () => {}, stop: () => {} }
  const stopped = new AbortController()
  const ids = bootstrap.map((address) => address.slice(address.lastIndexOf('/') + 1))
  let wait = FIRST_WAIT
  let timer: NodeJS.Timeout | undefined

  const dial = async (address: string): Promise<void> => {
    const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(DIAL_LIMIT)])
    try {
      await libp2p.dial(multiaddr(address), { signal })
    } catch {
      // one of several, and there is a next try
    }
  }
  const round = async (): Promise<void> => {
    if (libp2p.getPeers().length >= ENOUGH) wait = FIRST_WAIT
    else await Promise.all(bootstrap.map(dial))
    if (stopped.signal.aborted) return
    later(wait)
    if (libp2p.getPeers().length < ENOUGH) wait = Math.min(wait * 2, LAST_WAIT)
  }
  const later = (ms: number): void => {
    clearTimeout(timer)
    timer = setTimeout(() => void round(), ms)
  }
  const again = (): void => {
    wait = FIRST_WAIT
    if (!stopped.signal.aborted) later(AGAIN)
  }
  const onDisconnect = ({ detail }: CustomEvent<PeerId>): void => {
    if (ids.includes(detail.toString())) again()
  }
  libp2p.addEventListener('peer:disconnect', onDisconnect)
  void round()
  return {
    again,
    stop: () => {
      stopped.abort()
      clearTimeout(timer)
      libp2p.removeEventListener('peer:disconnect', onDisconnect)
    },
  }
}

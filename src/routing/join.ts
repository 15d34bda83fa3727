/**
 * Joins the network through the bootstrap peers, and joins it again whenever it was lost: when the machine slept,
 * moved to another network, or started before its network did.
 */
import type { Libp2p } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'

/** With this many connections the DHT finds the rest by itself. */
const ENOUGH = 4

/** Wait between two tries, in ms: doubled up to the last while it does not help. */
const FIRST_WAIT = 5_000
const LAST_WAIT = 300_000

/** One dial, in ms, with DNS. */
const DIAL_LIMIT = 15_000

/** Starts at once; returns how to stop. The addresses end in /p2p/PEER-ID. */
export function keepJoined(libp2p: Libp2p, bootstrap: readonly string[]): () => void {
  if (bootstrap.length === 0) return () => {}
  const stopped = new AbortController()
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
    timer = setTimeout(() => void round(), wait)
    if (libp2p.getPeers().length < ENOUGH) wait = Math.min(wait * 2, LAST_WAIT)
  }
  void round()
  return () => {
    stopped.abort()
    clearTimeout(timer)
  }
}

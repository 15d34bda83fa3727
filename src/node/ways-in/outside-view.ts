/**
 * How this node looks from outside: each peer that was dialled says which address it sees. What they say of dials
 * from the shared port tells where this node can be met by hole punching, and what kind of router is in between.
 */
import type { IdentifyResult, Libp2pEvents, Startable, TypedEventTarget } from '@libp2p/interface'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { keepNewest } from '../../core/keep-newest.ts'
import { reachOf } from '../reach.ts'
import type { SharedPort } from './shared-port.ts'

/**
 * How the router gives outside ports, as RFC 4787 has it: `endpoint-independent` ones can be met by hole punching,
 * others (symmetric routers) cannot.
 */
export type Mapping = 'none' | 'endpoint-independent' | 'symmetric' | 'unknown'

/** Peers whose view is kept: the last ones. */
const MOST_OBSERVERS = 16

/** Addresses told to a peer that we are to meet. */
const MOST_TOLD = 4

interface OutsideComponents {
  readonly events: TypedEventTarget<Libp2pEvents>
}

interface Seen {
  readonly address: Multiaddr
  /** At which address the peer that says so was dialled: two ports of one machine see the same. */
  readonly by: string
}

export class OutsideView {
  readonly #port: SharedPort
  readonly #seen = new Map<string, Seen>()
  readonly #listeners = new Set<(address: Multiaddr) => void>()

  constructor(port: SharedPort) {
    this.#port = port
  }

  /** For libp2p's `services`. */
  service(): (components: OutsideComponents) => Startable {
    return ({ events }) => {
      const note = ({ detail }: CustomEvent<IdentifyResult>): void => this.#note(detail)
      return {
        start: () => events.addEventListener('peer:identify', note),
        stop: () => events.removeEventListener('peer:identify', note),
      }
    }
  }

  /** Calls back with each address that a peer sees this node at; returns how to stop. */
  onSeen(listener: (address: Multiaddr) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Where the shared port is seen, the latest first. */
  get addresses(): Multiaddr[] {
    const texts = [...this.#seen.values()].toReversed().map(({ address }) => address.toString())
    return [...new Set(texts)].slice(0, MOST_TOLD).map((text) => multiaddr(text))
  }

  /** Of IPv4, given the addresses of this machine's own interfaces. */
  mapping(own: readonly string[]): Mapping {
    const seen = [...this.#seen.values()].filter(({ address }) => address.getComponents()[0]?.name === 'ip4')
    if (seen.length === 0) return 'unknown'
    if (seen.every(({ address }) => own.includes(hostOf(address)))) return 'none'
    const observers = new Set(seen.map(({ by }) => by))
    const places = new Set(seen.map(({ address }) => address.toString()))
    if (places.size > 1) return 'symmetric'
    return observers.size > 1 ? 'endpoint-independent' : 'unknown'
  }

  /** What was seen before the network changed holds no more. */
  forget(): void {
    this.#seen.clear()
  }

  #note({ connection, observedAddr, peerId }: IdentifyResult): void {
    if (observedAddr === undefined || !connection.direct || reachOf(connection.remoteAddr) !== 'world') return
    const address = multiaddr(observedAddr.toString().replace(/\/p2p\/.*$/, ''))
    if (reachOf(address) !== 'world' || !this.#port.has(connection)) return
    const key = peerId.toString()
    this.#seen.delete(key)
    this.#seen.set(key, { address, by: connection.remoteAddr.toString().split('/p2p/')[0] ?? key })
    keepNewest(this.#seen, MOST_OBSERVERS)
    for (const listener of this.#listeners) listener(address)
  }
}

export function hostOf(address: Multiaddr): string {
  return address.getComponents()[0]?.value ?? ''
}

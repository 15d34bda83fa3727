/**
 * Whether others reach this node, and how that is known. It is never guessed: an address counts as reachable when
 * somebody dialled it, a peer that was asked to could, the router forwards it, or it is this machine's own.
 */
import { networkInterfaces } from 'node:os'
import type { Libp2p, Startable } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { isRelayed, reachOf } from '../reach.ts'
import type { Reachable } from '../types.ts'
import { hostOf, type OutsideView } from './outside-view.ts'
import type { SharedPort } from './shared-port.ts'

export interface Reachability {
  readonly reachable: Reachable
  /** How that is known, as the end of a sentence. */
  readonly reachableBy: string
  /** With the peer id, as a stranger would dial them: the best that there are. */
  readonly dialable: readonly string[]
}

/** What libp2p's address manager knows of an address. */
interface KnownAddress {
  readonly multiaddr: Multiaddr
  readonly verified: boolean
  readonly type: 'transport' | 'observed' | 'ip-mapping' | 'dns-mapping' | 'announce'
}

interface AddressComponents {
  readonly addressManager: {
    getAddressesWithMetadata(): KnownAddress[]
    addPublicAddressMapping(inside: string, insidePort: number, outside: string, port?: number): void
  }
}

export class ReachabilityWatch {
  readonly #outside: OutsideView
  readonly #port: SharedPort
  #addresses: AddressComponents['addressManager'] | undefined
  #libp2p: Libp2p | undefined
  /** Somebody from the world dialled this node. */
  #dialled = false
  #stopSeeing = (): void => {}

  constructor(outside: OutsideView, port: SharedPort) {
    this.#outside = outside
    this.#port = port
  }

  /** For libp2p's `services`: it has the address manager, which libp2p keeps to itself. */
  service(): (components: AddressComponents) => Startable {
    return ({ addressManager }) => {
      this.#addresses = addressManager
      return {
        start: () => {
          this.#stopSeeing = this.#outside.onSeen((address) => this.#supposeForwarded(address))
        },
        stop: () => this.#stopSeeing(),
      }
    }
  }

  attach(libp2p: Libp2p): void {
    this.#libp2p = libp2p
    libp2p.addEventListener('connection:open', ({ detail }) => {
      const { direction, direct, remoteAddr } = detail
      // what came about by hole punching says nothing of those who only dial; it is known a moment later
      setImmediate(() => {
        if (this.#port.has(detail)) return
        if (direction === 'inbound' && direct && reachOf(remoteAddr) === 'world') this.#dialled = true
      })
    })
  }

  /** What was found out before the network changed holds no more. */
  forget(): void {
    this.#dialled = false
  }

  /** How the router gives outside ports. */
  get mapping(): ReturnType<OutsideView['mapping']> {
    return this.#outside.mapping(ownHosts())
  }

  /** Where peers see this node's dials come from. */
  get seenAt(): readonly string[] {
    return this.#outside.addresses.map(String)
  }

  /** Whether the router has forwarded a port at our request, or somebody has forwarded one by hand. */
  get forwarded(): readonly string[] {
    return this.#known
      .filter(({ type, verified }) => type === 'ip-mapping' && verified)
      .map(({ multiaddr: address }) => address.toString())
  }

  get verdict(): Reachability {
    const all = this.#libp2p?.getMultiaddrs() ?? []
    const direct = all.filter((address) => reachOf(address) === 'world' && !isRelayed(address))
    const named = all.filter((address) => /^(dns|dns4|dns6)$/.test(address.getComponents()[0]?.name ?? ''))
    const relayed = all.filter(isRelayed)
    const local = all.filter((address) => reachOf(address) === 'site' && !isRelayed(address))
    const answer = (reachable: Reachable, reachableBy: string, of: Multiaddr[]): Reachability => ({
      reachable,
      reachableBy,
      dialable: of.map(String),
    })
    if (direct.length + named.length > 0) return answer('direct', this.#proof(), [...direct, ...named])
    if (relayed.length > 0) return answer('relayed', 'a relay holds a place for this node', relayed)
    if (local.length > 0) return answer('local only', 'it has private addresses alone', local)
    return answer('no', 'it listens on this machine alone', all)
  }

  get #known(): readonly KnownAddress[] {
    return this.#addresses?.getAddressesWithMetadata() ?? []
  }

  #proof(): string {
    const known = this.#known.filter(
      ({ verified, multiaddr: address }) => verified && reachOf(address) !== 'site' && !isRelayed(address),
    )
    if (this.#dialled) return 'a peer from outside dialled it'
    if (known.some(({ type }) => type === 'ip-mapping')) return 'the router forwards its port'
    if (known.some(({ type }) => type === 'announce')) return 'the configuration says so (announce)'
    return 'this machine has a public address; nobody from outside has dialled it yet'
  }

  /**
   * The port may be forwarded on the router by hand: then the address that others see has it too. It is told to
   * nobody before a peer has dialled it.
   */
  #supposeForwarded(seen: Multiaddr): void {
    const outside = hostOf(seen)
    if (ownHosts().includes(outside) || seen.getComponents()[0]?.name !== 'ip4') return
    for (const { type, multiaddr: own } of this.#known) {
      const [host, transport, ...above] = own.getComponents()
      if (type !== 'transport' || host?.name !== 'ip4' || transport?.name !== 'tcp' || above.length > 0)
        continue
      if (host.value === undefined || reachOf(own) !== 'site') continue
      const port = Number(transport.value)
      this.#addresses?.addPublicAddressMapping(host.value, port, outside, port)
    }
  }
}

function ownHosts(): string[] {
  return Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address))
}

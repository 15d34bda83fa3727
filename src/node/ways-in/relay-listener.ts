/**
 * Keeps a place on a relay while nobody can dial this node from the world: whoever wants something of it meets it
 * there. libp2p picks the relay, among the peers that offer to be one, and finds another when that one goes.
 */
import type { Libp2pEvents, Startable, TypedEventTarget } from '@libp2p/interface'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { isRelayed, reachOf } from '../reach.ts'

/** libp2p's name for "on any relay". */
const ANY_RELAY = multiaddr('/p2p-circuit')

interface ListenerComponents {
  readonly events: TypedEventTarget<Libp2pEvents>
  readonly addressManager: { getAddresses(): Multiaddr[] }
  readonly transportManager: { listen(addresses: Multiaddr[]): Promise<void> }
}

/** For libp2p's `services`. */
export function relayListener(): (components: ListenerComponents) => Startable & { afterStart(): void } {
  return ({ events, addressManager, transportManager }) => {
    let listening = false
    const look = (): void => {
      if (listening || addressManager.getAddresses().some(isDialable)) return
      listening = true
      // it fails only where no relay transport is there, which comes with this
      void transportManager.listen([ANY_RELAY]).catch(() => undefined)
    }
    return {
      start: () => {},
      // only then do the addresses listened on stand
      afterStart: () => {
        look()
        events.addEventListener('self:peer:update', look)
      },
      stop: () => events.removeEventListener('self:peer:update', look),
    }
  }
}

/** Whether the world can dial it without a relay. */
function isDialable(address: Multiaddr): boolean {
  return reachOf(address) === 'world' && !isRelayed(address)
}

/** Addresses through a relay's loopback or private addresses lead nowhere, where it has others. */
export function usefulAddresses(addresses: Multiaddr[]): Multiaddr[] {
  const world = addresses.some((address) => isRelayed(address) && reachOf(address) === 'world')
  return addresses.filter((address) => {
    if (!isRelayed(address)) return true
    const reach = reachOf(address)
    return reach === 'world' || (!world && reach !== 'machine')
  })
}

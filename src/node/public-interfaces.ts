/**
 * Announces public IPv4 addresses of this machine's own interfaces. libp2p holds back every public address until
 * somebody has dialled it for proof, which nothing here asks for; without this a server with a public address would
 * announce only its loopback one. IPv6 is left out: homes have public IPv6 addresses behind a firewall.
 */
import type { Libp2pEvents, Listener, Startable, TypedEventTarget } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

interface AddressComponents {
  readonly events: TypedEventTarget<Libp2pEvents>
  readonly addressManager: {
    confirmObservedAddr(address: Multiaddr, options: { type: 'transport'; ttl: number }): void
  }
}

/** In ms; an interface's address is right for as long as the node listens on it. */
const FOR_GOOD = 10 * 365 * 86_400_000

/** For libp2p's `services`. Private addresses are announced as they are; confirming them changes nothing. */
export function publicInterfaces({ events, addressManager }: AddressComponents): Startable {
  const confirm = (event: CustomEvent<Listener>): void => {
    for (const address of event.detail.getAddrs().filter(isIp4)) {
      addressManager.confirmObservedAddr(address, { type: 'transport', ttl: FOR_GOOD })
    }
  }
  return {
    start: () => events.addEventListener('transport:listening', confirm),
    stop: () => events.removeEventListener('transport:listening', confirm),
  }
}

function isIp4(address: Multiaddr): boolean {
  return address.getComponents()[0]?.name === 'ip4'
}

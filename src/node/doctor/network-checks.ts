/** What `share doctor` looks at between this node and the others. */
import { networkInterfaces } from 'node:os'
import { reachOfIp } from '../../core/ip-reach.ts'
import { dhtsOf } from '../../routing/dht.ts'
import type { Config } from '../config.ts'
import type { ShareLibp2p } from '../libp2p.ts'
import { isRelayed, reachOf } from '../reach.ts'
import { isAlone, type WaysIn } from '../ways-in/ways-in.ts'
import { type Finding, failed, note, ok, warning } from './check.ts'

const HOP = '/libp2p/circuit/relay/0.2.0/hop'

export interface NetworkContext {
  readonly config: Config
  readonly libp2p: ShareLibp2p
  readonly ways: WaysIn
}

export function reachability({ ways }: NetworkContext): Finding {
  const { reachable, reachableBy } = ways.reachability.verdict
  const finding = `${reachable}: ${reachableBy}`
  switch (reachable) {
    case 'direct':
      return ok(finding)
    case 'relayed':
      return note(
        finding,
        'others meet this node at the relay, and go on directly where the routers let them',
      )
    case 'local only':
      return warning(finding, 'forward its port on the router, or see below what a relay needs')
    case 'no':
      return failed(finding, 'share config set listen /ip4/0.0.0.0/tcp/4141')
  }
}

export function ports({ libp2p, config }: NetworkContext): Finding {
  const listening = libp2p
    .getMultiaddrs()
    .filter((address) => !isRelayed(address))
    .map((address) => address.toString().replace(/\/p2p\/.*$/, ''))
  if (listening.length > 0) return ok(`it listens on ${listening.join(', ')}`)
  return config.listen.length === 0
    ? note('it listens nowhere (listen is none): it can only dial', 'share config set listen default')
    : failed('it listens nowhere', '`share daemon logs` says why')
}

export function portMapping({ config, ways }: NetworkContext): Finding {
  const forwarded = ways.reachability.forwarded
  if (forwarded.length > 0) return ok(`the router forwards ${[...new Set(forwarded)].join(', ')}`)
  if (isAlone(config)) return note('not tried on loopback')
  if (!config['reach.upnp']) return note('switched off (reach.upnp)')
  return ways.reachability.mapping === 'none'
    ? ok('not needed: this machine has a public address')
    : note('no router offers it (UPnP, NAT-PMP)', 'switch UPnP on in the router, or forward the port by hand')
}

export function natKind({ ways, config }: NetworkContext): Finding {
  if (isAlone(config)) return note('not looked at on loopback')
  const seen = ways.reachability.seenAt.join(', ')
  switch (ways.reachability.mapping) {
    case 'none':
      return ok('none: others see this machine at its own address')
    case 'endpoint-independent':
      return ok(`it gives one outside port to all (${seen}): hole punching works with others of its kind`)
    case 'symmetric':
      return warning(
        `symmetric: each peer sees another port (${seen})`,
        'transfers with others behind such routers go through relays; forward the port by hand to be reached directly',
      )
    case 'unknown':
      return note(
        seen === '' ? 'nobody has said yet where it sees this node' : `only one peer has seen it: ${seen}`,
      )
  }
}

export function dht({ config, libp2p }: NetworkContext): Finding {
  if (config.dht === 'off') return note('switched off (dht)', 'share config set dht auto')
  const tables = dhtsOf(libp2p.services).map(({ name, table }) => `${name} ${table.size}`)
  const all = dhtsOf(libp2p.services).reduce((sum, { table }) => sum + table.size, 0)
  const finding = `peers in the routing tables: ${tables.join(', ')}`
  if (all > 0) return ok(finding)
  return config.bootstrap.length === 0
    ? note(`${finding}; bootstrap is none`, 'share config set bootstrap default')
    : failed(finding, 'no bootstrap peer answers: is this machine on the internet, and TCP let out?')
}

export async function relays({ config, libp2p, ways }: NetworkContext): Promise<Finding> {
  if (isAlone(config)) return note('not used on loopback')
  if (!config['reach.relay']) return note('switched off (reach.relay)', 'share config set reach.relay on')
  const peers = await Promise.all(
    libp2p.getPeers().map((id) => libp2p.peerStore.get(id).catch(() => undefined)),
  )
  const offering = peers.filter((peer) => peer?.protocols.includes(HOP)).length
  const places = new Set(
    libp2p
      .getMultiaddrs()
      .flatMap((address) => /\/p2p\/([^/]+)\/p2p-circuit/.exec(address.toString())?.[1] ?? []),
  )
  const finding = `${places.size} hold a place for this node; ${offering} of the connected peers are relays`
  if (places.size > 0) return ok(finding)
  return ways.reachability.verdict.reachable === 'direct'
    ? ok(`${finding}; none is needed`)
    : warning(finding, 'wait a minute after the start; else name a node with relay.serve as a bootstrap peer')
}

export function ipv6({ libp2p }: NetworkContext): Finding {
  const own = Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .filter(({ family, address }) => family === 'IPv6' && reachOfIp(address) === 'world')
  if (own.length === 0) return note('this machine has no public IPv6 address')
  const used = libp2p.getConnections().filter(({ remoteAddr }) => {
    return remoteAddr.getComponents()[0]?.name === 'ip6' && reachOf(remoteAddr) === 'world'
  })
  return used.length > 0
    ? ok(`${used.length} connections use it`)
    : note(`this machine has ${own[0]?.address}, and no connection uses it`)
}

export function transports({ config, ways }: NetworkContext): Finding {
  if (ways.missing.length > 0)
    return note(
      `not available here: ${ways.missing.join('; ')}`,
      'the others do; `transport.quic` off hides this',
    )
  const names = ['TCP']
  if (config['transport.websocket']) names.push('WebSocket')
  if (config['transport.quic'] && !isAlone(config)) names.push('QUIC')
  return ok(names.join(', '))
}

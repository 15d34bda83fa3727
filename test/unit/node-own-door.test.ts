/** Which addresses lead to the node itself. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { leadsHere } from '../../src/node/ways-in/own-door.ts'

const INTERFACES = {
  lo: [entry('127.0.0.1'), entry('::1')],
  net: [entry('192.168.1.2')],
}
const PEER = '12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8'

test('an address leads here by one of our hosts, and a port that we listen on there', () => {
  const everywhere = ['/ip4/0.0.0.0/tcp/4141', '/ip6/::/tcp/4141', '/ip4/0.0.0.0/udp/4141/quic-v1']
  const lan = ['/ip4/192.168.1.2/tcp/4141']
  const table: [string, readonly string[], boolean][] = [
    ['/ip4/127.0.0.1/tcp/4141', everywhere, true],
    [`/ip4/127.0.0.1/tcp/4141/p2p/${PEER}`, everywhere, true],
    ['/ip4/127.0.0.2/tcp/4141', everywhere, true],
    ['/ip6/::1/tcp/4141', everywhere, true],
    ['/ip4/192.168.1.2/udp/4141/quic-v1', everywhere, true],
    [`/ip4/127.0.0.1/tcp/4141/p2p/${PEER}/p2p-circuit`, everywhere, true],
    ['/ip4/127.0.0.1/tcp/4142', everywhere, false],
    ['/ip4/192.168.1.3/tcp/4141', everywhere, false],
    ['/ip4/45.1.0.1/tcp/4141', everywhere, false],
    ['/dns4/localhost/tcp/4141', everywhere, false],
    ['/ip4/192.168.1.2/tcp/4141', lan, true],
    ['/ip4/127.0.0.1/tcp/4141', lan, false],
    ['/ip4/127.0.0.1/tcp/4141', [], false],
  ]
  for (const [address, listen, leads] of table)
    assert.equal(leadsHere(multiaddr(address), listen, INTERFACES), leads, `${address} with ${listen}`)
})

function entry(address: string) {
  const family = address.includes(':') ? ('IPv6' as const) : ('IPv4' as const)
  return { address, family, netmask: '', mac: '', internal: false, cidr: null, scopeid: 0 } as never
}

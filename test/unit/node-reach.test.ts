/** How far addresses reach, in which order they are dialled, and which of a relay's are told. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { isOfUse, reachOf } from '../../src/node/reach.ts'
import { AddressOrder } from '../../src/node/ways-in/address-order.ts'
import { usefulAddresses } from '../../src/node/ways-in/relay-listener.ts'

const RELAY = '12D3KooWRWAVsNWBRUFMdZeBsCFQH3kTnm53f5zyLG9MoDaMh72j'

const REACHES = [
  ['/ip4/127.0.0.1/tcp/1', 'machine'],
  ['/ip4/192.168.1.2/tcp/1', 'site'],
  ['/ip4/100.64.0.1/tcp/1', 'site'],
  ['/ip4/8.8.8.8/tcp/1', 'world'],
  ['/ip4/8.8.8.8/tcp/80/ws', 'world'],
  ['/ip4/8.8.8.8/udp/1/quic-v1', 'world'],
  ['/ip4/8.8.8.8/udp/1', undefined],
  ['/ip4/8.8.8.8/tcp/0', undefined],
  ['/ip4/8.8.8.8/tcp/1/quic-v1', undefined],
  ['/ip6/2001:db8::1/tcp/1', 'world'],
  ['/ip6/fd00::1/tcp/1', 'site'],
  ['/ip6/fe80::1/tcp/1', undefined],
  ['/dns4/example.org/tcp/1', undefined],
  [`/ip4/8.8.8.8/tcp/1/p2p/${RELAY}/p2p-circuit`, 'world'],
  [`/ip4/10.0.0.1/tcp/1/p2p/${RELAY}/p2p-circuit`, 'site'],
] as const

describe('an address', () => {
  for (const [address, reach] of REACHES) {
    it(`${address} reaches ${reach}`, () => assert.equal(reachOf(multiaddr(address)), reach))
  }

  it('through a public relay is of use to a stranger, a private one is not', () => {
    const stranger = multiaddr('/ip4/8.8.4.4/tcp/1')
    assert.equal(isOfUse(multiaddr(`/ip4/8.8.8.8/tcp/1/p2p/${RELAY}/p2p-circuit`), stranger), true)
    assert.equal(isOfUse(multiaddr('/ip4/10.0.0.1/tcp/1'), stranger), false)
  })
})

describe('addresses of one peer', () => {
  it('are dialled by TCP first, through relays after all others, and in strange private networks last', () => {
    const sorted = [
      '/ip4/203.0.113.5/tcp/1',
      '/ip4/203.0.113.5/tcp/80/ws',
      '/ip4/203.0.113.5/udp/1/quic-v1',
      `/ip4/203.0.113.9/tcp/1/p2p/${RELAY}/p2p-circuit`,
      '/ip6/fdff:1234:5678::9/tcp/1',
    ]
    const order = new AddressOrder()
    const shuffled = sorted.toReversed().map((text) => ({ multiaddr: multiaddr(text), isCertified: false }))
    assert.deepEqual(
      shuffled.sort(order.compare).map(({ multiaddr: address }) => address.toString()),
      sorted,
    )
  })
})

describe('addresses through a relay', () => {
  const through = (host: string): string => `/ip4/${host}/tcp/1/p2p/${RELAY}/p2p-circuit`
  const told = (...hosts: string[]): string[] =>
    usefulAddresses(hosts.map((host) => multiaddr(through(host)))).map(String)

  it('are told without those of its loopback, and of its private networks if it has public ones', () => {
    assert.deepEqual(told('127.0.0.1', '10.0.0.1', '8.8.8.8'), [through('8.8.8.8')])
    assert.deepEqual(told('127.0.0.1', '10.0.0.1'), [through('10.0.0.1')])
    assert.deepEqual(told('127.0.0.1'), [])
  })
})

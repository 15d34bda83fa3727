import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import {
  type PeerDiscoveryEvents,
  type PeerInfo,
  peerDiscoverySymbol,
  TypedEventEmitter,
} from '@libp2p/interface'
import type { KadDHT } from '@libp2p/kad-dht'
import { multiaddr } from '@multiformats/multiaddr'
import { Heard, type TellingComponents, tellingNews } from '../../src/routing/heard.ts'
import { createPeer } from './routing-fake-dht.ts'

const [HERE, THERE] = [multiaddr('/ip4/192.0.2.1/tcp/1'), multiaddr('/ip4/192.0.2.2/tcp/1')]

describe('what libp2p is told of peers that a DHT hears of', () => {
  it('is each peer once, and again with other addresses or after ten minutes', async () => {
    const [a, b] = [await createPeer(), await createPeer()]
    const heard = new Heard()
    const told = [
      heard.isNews({ id: a, multiaddrs: [HERE] }, 0),
      heard.isNews({ id: a, multiaddrs: [HERE] }, 1),
      heard.isNews({ id: b, multiaddrs: [HERE] }, 2),
      heard.isNews({ id: a, multiaddrs: [HERE, THERE] }, 3),
      heard.isNews({ id: a, multiaddrs: [HERE] }, 599_999),
      heard.isNews({ id: a, multiaddrs: [HERE] }, 600_000),
      heard.isNews({ id: a, multiaddrs: [HERE] }, 600_001),
    ]
    assert.deepEqual(told, [true, false, true, true, false, true, false])
  })

  it('is told again of those that were pushed out by many others', async () => {
    const id = await createPeer()
    const at = (port: number): PeerInfo => ({ id, multiaddrs: [multiaddr(`/ip4/192.0.2.1/tcp/${port}`)] })
    const heard = new Heard()
    for (let port = 0; port <= 16_384; port++) heard.isNews(at(port), 0)
    assert.deepEqual([heard.isNews(at(16_384), 0), heard.isNews(at(0), 0)], [false, true])
  })

  it('goes another way than what the DHT itself hears, behind a look at how old it is', async () => {
    const kad = new TypedEventEmitter<PeerDiscoveryEvents>()
    const [self, id] = [await createPeer(), await createPeer()]
    const order: string[] = []
    const peerStore: TellingComponents['peerStore'] = {
      merge: async (peer, data) => {
        order.push(`merge ${peer.equals(id)} ${JSON.stringify(data)}`)
        throw new Error('the store says nothing more')
      },
    }
    const own = Object.assign(kad, { [peerDiscoverySymbol]: kad }) as unknown as KadDHT
    const dht = tellingNews(own, { peerId: self, peerStore })
    kad.addEventListener('peer', () => order.push('heard'))
    const discovery = Reflect.get(dht, peerDiscoverySymbol) as TypedEventEmitter<PeerDiscoveryEvents>
    discovery.addEventListener('peer', ({ detail }) => order.push(`told ${detail.id.equals(id)}`))
    for (const each of [id, self, id]) {
      kad.safeDispatchEvent('peer', { detail: { id: each, multiaddrs: [HERE] } })
      await turn()
    }
    assert.deepEqual(order, ['merge true {}', 'heard', 'told true', 'heard', 'heard'])
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  type PeerDiscoveryEvents,
  type PeerInfo,
  peerDiscoverySymbol,
  TypedEventEmitter,
} from '@libp2p/interface'
import type { KadDHT } from '@libp2p/kad-dht'
import { multiaddr } from '@multiformats/multiaddr'
import { Heard, tellingNews } from '../../src/routing/heard.ts'
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

  it('goes another way than what the DHT itself hears', async () => {
    const kad = new TypedEventEmitter<PeerDiscoveryEvents>()
    const dht = tellingNews(Object.assign(kad, { [peerDiscoverySymbol]: kad }) as unknown as KadDHT)
    const heard: PeerInfo[] = []
    const told: PeerInfo[] = []
    kad.addEventListener('peer', ({ detail }) => void heard.push(detail))
    const discovery = Reflect.get(dht, peerDiscoverySymbol) as TypedEventEmitter<PeerDiscoveryEvents>
    discovery.addEventListener('peer', ({ detail }) => void told.push(detail))
    const detail = { id: await createPeer(), multiaddrs: [HERE] }
    for (let at = 0; at < 3; at++) kad.safeDispatchEvent('peer', { detail })
    assert.deepEqual([heard.length, told], [3, [detail]])
  })
})

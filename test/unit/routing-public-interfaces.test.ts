import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Libp2pEvents, type Listener, TypedEventEmitter } from '@libp2p/interface'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { publicInterfaces } from '../../src/node/public-interfaces.ts'

describe('addresses of this machine’s own interfaces', () => {
  it('are announced as they are listened on, but for IPv6', () => {
    const events = new TypedEventEmitter<Libp2pEvents>()
    const confirmed: string[] = []
    const confirmObservedAddr = (address: Multiaddr): void => void confirmed.push(address.toString())
    const service = publicInterfaces({ events, addressManager: { confirmObservedAddr } })
    const listening = (...addresses: string[]): boolean => {
      const detail = { getAddrs: () => addresses.map((text) => multiaddr(text)) } satisfies Partial<Listener>
      return events.dispatchEvent(new CustomEvent('transport:listening', { detail }))
    }
    listening('/ip4/203.0.113.1/tcp/1')
    service.start()
    listening('/ip4/203.0.113.2/tcp/4141', '/ip6/2001:db8::1/tcp/4141')
    service.stop()
    listening('/ip4/203.0.113.3/tcp/1')
    assert.deepEqual(confirmed, ['/ip4/203.0.113.2/tcp/4141'])
  })
})

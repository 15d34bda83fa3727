import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Libp2pEvents, type Peer, type PeerStore, TypedEventEmitter } from '@libp2p/interface'
import { thriftyPeerStore } from '../../src/node/thrifty-peer-store.ts'
import { createPeer } from './routing-fake-dht.ts'

type Told = Parameters<PeerStore['merge']>[1]

/** A store that knows of peers what it was told, and says so when that changes. */
async function store() {
  const id = await createPeer()
  const events = new TypedEventEmitter<Libp2pEvents>()
  const writes: Told[] = []
  let protocols: string[] = []
  let time = 0
  const peer = (): Peer => ({ id, protocols, addresses: [], tags: new Map(), metadata: new Map() })
  const changed = (): void => {
    events.safeDispatchEvent('peer:update', { detail: { peer: peer() } })
  }
  const peerStore: Pick<PeerStore, 'merge'> = {
    merge: async (_id, told) => {
      writes.push(told)
      const more = (told.protocols ?? []).filter((protocol) => !protocols.includes(protocol))
      protocols = [...protocols, ...more]
      if (more.length > 0) changed()
      return peer()
    },
  }
  thriftyPeerStore({ peerStore, events }, () => time)
  return {
    writes,
    tell: (told: Told) => peerStore.merge(id, told),
    forget(): void {
      protocols = []
      changed()
    },
    wait(ms: number): void {
      time += ms
    },
  }
}

describe('a peer store that is told the protocol of each stream', () => {
  it('writes each protocol once, and answers the rest with what it has', async () => {
    const { tell, writes } = await store()
    for (let stream = 0; stream < 3; stream++) await tell({ protocols: ['a'] })
    const peer = await tell({ protocols: ['b'] })
    assert.deepEqual(writes, [{ protocols: ['a'] }, { protocols: ['b'] }])
    assert.deepEqual(peer.protocols, ['a', 'b'])
    assert.deepEqual((await tell({ protocols: ['b', 'a'] })).protocols, ['a', 'b'])
    assert.equal(writes.length, 2)
  })

  it('writes all else, known or not', async () => {
    const { tell, writes } = await store()
    await tell({ protocols: ['a'] })
    await tell({ protocols: ['a'], tags: {} })
    await tell({ multiaddrs: [] })
    await tell({})
    assert.equal(writes.length, 4)
  })

  it('writes again what somebody else has changed', async () => {
    const { tell, forget, writes } = await store()
    await tell({ protocols: ['a'] })
    forget()
    await tell({ protocols: ['a'] })
    assert.equal(writes.length, 2)
  })

  it('writes again after ten minutes', async () => {
    const { tell, wait, writes } = await store()
    await tell({ protocols: ['a'] })
    wait(599_999)
    await tell({ protocols: ['a'] })
    assert.equal(writes.length, 1)
    wait(1)
    await tell({ protocols: ['a'] })
    assert.equal(writes.length, 2)
  })
})

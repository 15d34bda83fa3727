import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { afterEach, describe, it } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { CID } from 'multiformats/cid'
import { create } from 'multiformats/hashes/digest'
import { RAW, SHA2_256 } from '../../src/core/cid.ts'
import { createPeer } from '../unit/routing-fake-dht.ts'
import { find, RoutingNodes, until } from './routing-nodes.ts'

const SOME = CID.parse('bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy')
const OTHER = CID.parse('bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi')

describe('routing over the local DHT alone', { timeout: 30_000 }, () => {
  const nodes = new RoutingNodes()

  afterEach(() => nodes.clear())

  it('lets two nodes that know only a third find each other, and dial', async () => {
    const [a, b, c] = [await nodes.start(), await nodes.start(), await nodes.start()]
    await a.dial(c)
    await until(async () => (await a.routing.announce(SOME)).confirmed)
    assert.equal(a.routing.announced(SOME), true)
    await b.dial(c)
    const addresses = await find(b, SOME, a.libp2p.peerId)
    assert.deepEqual(
      addresses,
      a.libp2p.getMultiaddrs().map((address) => address.decapsulate('/p2p').toString()),
    )
    const connection = await b.libp2p.dial(a.libp2p.peerId)
    assert.equal(connection.encryption, '/tls/1.0.0')
    assert.equal(connection.multiplexer, '/yamux/1.0.0')
  })

  it('announces what was added before there was anybody to tell', async () => {
    const [a, b, c] = [await nodes.start(), await nodes.start(), await nodes.start()]
    assert.deepEqual(await a.routing.announce(SOME), { confirmed: false })
    await b.dial(c)
    await a.dial(c)
    await find(b, SOME, a.libp2p.peerId)
    await until(() => a.routing.announced(SOME))
  })

  it('works among five nodes in a row, whoever announces and whoever looks', async () => {
    const row = await Promise.all([1, 2, 3, 4, 5].map(() => nodes.start()))
    for (const [at, node] of row.entries()) await row[at - 1]?.dial(node)
    const [first, , , , last] = row
    assert.ok(first !== undefined && last !== undefined)
    await Promise.all([first.routing.announce(SOME), last.routing.announce(OTHER)])
    for (const node of row.slice(1)) await find(node, SOME, first.libp2p.peerId)
    for (const node of row.slice(0, -1)) await find(node, OTHER, last.libp2p.peerId)
  })

  it('writes down where the others are once, however many lookups name them', async (t) => {
    const [first, ...others] = await Promise.all([1, 2, 3, 4, 5].map(() => nodes.start()))
    assert.ok(first !== undefined)
    for (const node of others) await node.dial(first)
    await until(() => first.libp2p.getPeers().length === others.length)
    const { mock } = t.mock.method(first.libp2p.peerStore, 'merge')
    for (let at = 0; at < 20; at++) {
      const cid = CID.createV1(RAW, create(SHA2_256, randomBytes(32)))
      await until(async () => (await first.routing.announce(cid)).confirmed)
    }
    const writes = mock.calls.filter(({ arguments: [, { multiaddrs }] }) => multiaddrs !== undefined)
    assert.ok(writes.length <= 2 * others.length, `${writes.length} writes`)
  })

  it('knows an address for as long as it is told, two days and longer', async (t) => {
    const { libp2p } = await nodes.start()
    const dht: unknown = libp2p.services.lanDht
    assert.ok(dht instanceof EventTarget)
    const heard = await createPeer()
    const address = multiaddr('/ip4/192.0.2.1/tcp/4141')
    let hours = 0
    for (const clock of [Date, performance]) {
      const real = clock.now.bind(clock)
      t.mock.method(clock, 'now', () => real() + hours * 3_600_000)
    }
    for (hours = 0; hours <= 100; hours += 20) {
      dht.dispatchEvent(new CustomEvent('peer', { detail: { id: heard, multiaddrs: [address] } }))
      await until(async () => {
        const { addresses } = await libp2p.peerStore.get(heard).catch(() => ({ addresses: [] }))
        return addresses.length === 1
      })
    }
  })

  it('makes newcomers and those around them meet, long after they started', async () => {
    const [a, b, c] = [await nodes.start(), await nodes.start(), await nodes.start()]
    // kad-dht looks up its own id a second after its start and then every five minutes: neither helps here
    await new Promise((resolve) => setTimeout(resolve, 1_200))
    await a.dial(c)
    await until(() => c.libp2p.getPeers().length === 1)
    await b.dial(c)
    await until(() => a.libp2p.getConnections(b.libp2p.peerId).length > 0)
  })

  it('keeps records over a restart of the node that holds them', async () => {
    const [a, b, c] = [await nodes.start(), await nodes.start(), await nodes.start()]
    await a.dial(c)
    await until(async () => (await a.routing.announce(SOME)).confirmed)
    await a.stop()
    await c.stop()
    const again = await nodes.start({ home: c.home })
    assert.ok(again.libp2p.peerId.equals(c.libp2p.peerId))
    await b.dial(again)
    // the one who announced is gone: only the record can name it
    assert.equal((await find(b, SOME, a.libp2p.peerId)).length, 1)
  })

  it('keeps records findable for a day', async (t) => {
    const [a, b, c] = [await nodes.start(), await nodes.start(), await nodes.start()]
    await a.dial(c)
    await until(async () => (await a.routing.announce(SOME)).confirmed)
    await a.stop()
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 24 * 3_600_000 })
    await b.dial(c)
    assert.equal((await find(b, SOME, a.libp2p.peerId)).length, 1)
  })

  it('stops renewing what is withdrawn', async () => {
    const [a, b] = [await nodes.start(), await nodes.start()]
    await a.routing.announce(SOME)
    await a.routing.withdraw(SOME)
    assert.equal(a.routing.announced(SOME), false)
    await b.dial(a)
    await until(async () => (await b.routing.announce(OTHER)).confirmed)
    for await (const { id } of b.routing.findProviders(SOME, { signal: AbortSignal.timeout(5_000) })) {
      assert.fail(`${id} is still named as a provider`)
    }
  })

  it('joins through its bootstrap peers, and without a DHT knows nobody', async () => {
    const c = await nodes.start()
    const bootstrap = c.libp2p.getMultiaddrs().map(String)
    const a = await nodes.start({ config: { bootstrap } })
    const silent = await nodes.start({ config: { bootstrap, dht: 'off' } })
    await until(() => a.libp2p.getPeers().length === 1)
    assert.deepEqual(await silent.routing.announce(SOME), { confirmed: false })
    assert.deepEqual(silent.libp2p.getPeers(), [])
    assert.deepEqual(
      silent.libp2p.getProtocols().filter((protocol) => protocol.includes('kad')),
      [],
    )
  })

  it('ends waiting for an announcement by its signal, and announces all the same', async () => {
    const [a, b] = [await nodes.start(), await nodes.start()]
    await a.dial(b)
    await assert.rejects(
      a.routing.announce(SOME, { signal: AbortSignal.abort(new Error('enough')) }),
      /enough/,
    )
    assert.equal(a.routing.announced(SOME), false)
    const waiting = new AbortController()
    const announcement = a.routing.announce(SOME, { signal: waiting.signal })
    waiting.abort(new Error('enough'))
    await assert.rejects(announcement, /enough/)
    await until(() => a.routing.announced(SOME))
  })
})

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, it } from 'node:test'
import { ShareError } from '../../src/core/errors.ts'
import { RoutingNodes, until } from './routing-nodes.ts'

/** Protocols that a node in each mode answers on. */
const MODES = {
  auto: ['/ipfs/lan/kad/1.0.0'],
  server: ['/ipfs/kad/1.0.0', '/ipfs/lan/kad/1.0.0'],
  client: [],
  off: [],
} as const

describe('the libp2p node', { timeout: 30_000 }, () => {
  const nodes = new RoutingNodes()

  afterEach(() => nodes.clear())

  it('serves the DHTs that its mode says', async () => {
    for (const dht of ['auto', 'server', 'client', 'off'] as const) {
      const { libp2p } = await nodes.start({ config: { dht } })
      const served = libp2p.getProtocols().filter((protocol) => protocol.includes('kad'))
      assert.deepEqual(served.sort(), MODES[dht], dht)
    }
  })

  it('tells others its name and only the address it listens on', async () => {
    const [a, b] = [await nodes.start(), await nodes.start()]
    const told = new Promise<{ agentVersion?: string; listenAddrs: unknown[] }>((resolve) => {
      b.libp2p.addEventListener('peer:identify', ({ detail }) => resolve(detail), { once: true })
    })
    await a.dial(b)
    const { agentVersion, listenAddrs } = await told
    assert.equal(agentVersion, 'share/test')
    assert.deepEqual(
      listenAddrs.map((address) => `${address}/p2p/${a.libp2p.peerId}`),
      a.libp2p.getMultiaddrs().map(String),
    )
    assert.match(String(listenAddrs[0]), /^\/ip4\/127\.0\.0\.1\/tcp\/\d+$/)
  })

  it('tells others the announced addresses instead', async () => {
    const announce = ['/dns4/example.org/tcp/4141']
    const { libp2p } = await nodes.start({ config: { announce } })
    assert.deepEqual(libp2p.getMultiaddrs().map(String), [`${announce[0]}/p2p/${libp2p.peerId}`])
  })

  it('refuses banned peers in both directions', async () => {
    const b = await nodes.start()
    const a = await nodes.start({ isBanned: (peer) => peer === b.libp2p.peerId.toString() })
    await assert.rejects(a.dial(b))
    await b.dial(a).catch(() => {})
    await until(() => b.libp2p.getConnections().length === 0)
    assert.deepEqual(a.libp2p.getPeers(), [])
  })

  it('takes many connections from one host at once', async () => {
    const hub = await nodes.start({ config: { dht: 'off' } })
    const crowd = await Promise.all(Array.from({ length: 15 }, () => nodes.start({ config: { dht: 'off' } })))
    await Promise.all(crowd.map((node) => node.dial(hub)))
    assert.equal(hub.libp2p.getPeers().length, 15)
  })

  it('says which port is in use', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as AddressInfo
    try {
      await assert.rejects(nodes.start({ config: { listen: [`/ip4/127.0.0.1/tcp/${port}`] } }), (error) => {
        assert.ok(error instanceof ShareError)
        assert.equal(error.code, 'CONFLICT')
        assert.equal(error.message, `cannot listen on 127.0.0.1:${port}: the port is in use`)
        assert.match(error.hint, /share config set listen/)
        return true
      })
    } finally {
      server.close()
    }
  })

  it('says that an address is not this machine’s', async () => {
    await assert.rejects(nodes.start({ config: { listen: ['/ip4/192.0.2.1/tcp/0'] } }), (error) => {
      assert.ok(error instanceof ShareError)
      assert.equal(error.code, 'BAD_CONFIG')
      assert.match(error.message, /192\.0\.2\.1/)
      return true
    })
  })

  it('starts afresh when what it knew of others is damaged', async () => {
    const home = await nodes.home()
    await (await nodes.start({ home })).stop()
    await writeFile(join(home, 'libp2p', 'CURRENT'), 'damaged')
    const node = await nodes.start({ home })
    await node.stop()
    await writeFile(join(home, 'libp2p', 'CURRENT'), 'MANIFEST-999999\n')
    await nodes.start({ home })
  })

  it('does not share its home with a second one', async () => {
    const { home } = await nodes.start()
    await assert.rejects(nodes.start({ home }), (error) => {
      assert.ok(error instanceof ShareError)
      assert.equal(error.code, 'ALREADY_RUNNING')
      return true
    })
  })
})

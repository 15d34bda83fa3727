/** libp2p's queue of dials, staggered: one that leads nowhere keeps nobody from the next. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { Libp2p } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { socketTls } from '../../src/node/socket-tls.ts'
import { staggeredDials } from '../../src/node/ways-in/staggered-dials.ts'

test('the next address is dialled while the first one is silent, which is given up then', async (t) => {
  const [dialler, listener] = [await node(t), await node(t)]
  const silent = await silence(t)
  const connection = await dialler.dial([
    multiaddr(`${silent.address}/p2p/${listener.peerId}`),
    ...listener.getMultiaddrs(),
  ])
  assert.equal(connection.remotePeer.toString(), listener.peerId.toString())
  const [socket] = silent.sockets
  assert.ok(
    socket !== undefined && !socket.closed,
    'the silent one was not dialled, or had been given up before',
  )
  await once(socket, 'close')
})

test('an address that is named while others are dialled is dialled when they have failed', async (t) => {
  const [dialler, listener] = [await node(t, 2_000), await node(t)]
  const silent = await silence(t)
  const peer = `/p2p/${listener.peerId}`
  const first = dialler.dial(multiaddr(`${silent.address}${peer}`))
  await silent.called
  const second = dialler.dial(listener.getMultiaddrs())
  assert.equal((await first).id, (await second).id)
})

test('nobody there: each address says why', async (t) => {
  const dialler = await node(t)
  const gone = ['/ip4/127.0.0.1/tcp/1', '/ip4/127.0.0.2/tcp/1'].map((address) => multiaddr(address))
  await assert.rejects(dialler.dial(gone), ({ errors }: AggregateError) => {
    assert.deepEqual(
      errors.map(({ message }) => message.slice(-27)),
      ['connect ECONNREFUSED 127.0.0.1:1', 'connect ECONNREFUSED 127.0.0.2:1'].map((text) => text.slice(-27)),
    )
    return true
  })
})

async function node(t: TestContext, addressDialTimeout = 20_000): Promise<Libp2p> {
  const libp2p = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [socketTls()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    connectionManager: { addressDialTimeout, addressSorter: () => 0 },
    services: { staggeredDials },
  })
  t.after(() => libp2p.stop())
  return libp2p
}

/** A machine that takes calls, and says nothing. */
async function silence(
  t: TestContext,
): Promise<{ address: string; sockets: Socket[]; called: Promise<unknown> }> {
  const sockets: Socket[] = []
  const server = createServer((socket) => void sockets.push(socket.resume()))
  const called = once(server, 'connection')
  t.after(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return { address: `/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}`, sockets, called }
}

/** TLS on the socket itself: the same on the wire as the library's, in every pairing. */
import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import type { ConnectionEncrypter, Libp2p, Stream } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { type TLSComponents, tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { socketTls } from '../../src/node/socket-tls.ts'

type Encrypter = () => (components: TLSComponents) => ConnectionEncrypter

const ECHO = '/echo/1'
const started: Libp2p[] = []

async function start(encrypter: Encrypter): Promise<Libp2p> {
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [encrypter()],
    streamMuxers: [yamux({ streamOptions: { maxReadBufferLength: 17 << 20 } })],
  })
  started.push(node)
  await node.handle(ECHO, (stream: Stream) => {
    stream.addEventListener('message', ({ data }) => void stream.send(data))
    stream.addEventListener('end', () => void stream.close())
  })
  return node
}

/** Sends bytes and resolves with as many as came back. */
async function echoed(stream: Stream, sent: Uint8Array): Promise<Buffer> {
  const parts: Uint8Array[] = []
  let length = 0
  const whole = new Promise<void>((resolve) =>
    stream.addEventListener('message', ({ data }) => {
      parts.push(data.subarray())
      length += data.byteLength
      if (length === sent.length) resolve()
    }),
  )
  stream.send(sent)
  await whole
  return Buffer.concat(parts)
}

describe('TLS on the socket', { timeout: 30_000 }, () => {
  afterEach(async () => {
    for (const node of started.splice(0)) await node.stop()
  })

  for (const [name, dialler, listener] of [
    ['itself', socketTls, socketTls],
    ['the library, dialling it', socketTls, tls],
    ['the library, dialled by it', tls, socketTls],
  ] as const)
    it(`talks to ${name}`, async () => {
      const [a, b] = [await start(dialler), await start(listener)]
      const connection = await a.dial(b.getMultiaddrs())
      assert.equal(connection.encryption, '/tls/1.0.0')
      assert.equal(connection.multiplexer, '/yamux/1.0.0')
      assert.ok(connection.remotePeer.equals(b.peerId))
      const sent = Buffer.alloc(3_000_000, 'every byte of it')
      assert.ok(sent.equals(await echoed(await connection.newStream(ECHO), sent)))
      assert.ok(b.getConnections()[0]?.remotePeer.equals(a.peerId))
    })

  it('refuses one who is not who was dialled', async () => {
    const [a, b, other] = [await start(socketTls), await start(socketTls), await start(socketTls)]
    const address = b.getMultiaddrs()[0]?.toString().replace(b.peerId.toString(), other.peerId.toString())
    await assert.rejects(a.dial(multiaddr(address)))
    assert.deepEqual(a.getConnections(), [])
  })

  it('refuses a peer that offers no certificate', async () => {
    const { createServer } = await import('node:net')
    const a = await start(socketTls)
    // says yes to TLS, and then something else
    const server = createServer((socket) => {
      socket.write('\x13/multistream/1.0.0\n\x0b/tls/1.0.0\n')
      socket.once('data', () => socket.write('this is no TLS at all\n'))
      socket.on('error', () => {})
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    assert.ok(typeof address === 'object' && address !== null)
    await assert.rejects(a.dial(multiaddr(`/ip4/127.0.0.1/tcp/${address.port}`)))
    assert.deepEqual(a.getConnections(), [])
    await new Promise((resolve) => server.close(resolve))
  })

  it('notices at once when the other has gone, and writes out what waits before it goes itself', async () => {
    const [a, b] = [await start(socketTls), await start(socketTls)]
    const heard = new Promise<number>((resolve) => {
      let length = 0
      void b.handle('/sink/1', (stream: Stream) => {
        stream.addEventListener('message', ({ data }) => {
          length += data.byteLength
        })
        stream.addEventListener('close', () => resolve(length))
      })
    })
    const gone = new Promise((resolve) => b.addEventListener('peer:disconnect', resolve, { once: true }))
    const connection = await a.dial(b.getMultiaddrs())
    const stream = await connection.newStream('/sink/1')
    // less than a window, more than the system's buffers take at once
    stream.send(Buffer.alloc(200_000))
    await connection.close()
    assert.equal(await heard, 200_000)
    await gone
    assert.deepEqual(b.getConnections(), [])
  })
})

/**
 * A relay among clients that misbehave: two hundred of them ask for places and pairs without end, keep streams open, send
 * what is no message, and want to be joined with machines that are no peers. Honest peers meet there all the while, those that
 * come late included, and nobody is called by the relay.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { createPrng, type Prng } from '../../../src/core/prng.ts'
import { memoryOf } from '../../bench/memory.ts'
import { Homes, until } from '../../e2e/homes.ts'
import { MIB } from '../../e2e/trees.ts'
import { rounds, SEED } from '../extent.ts'
import { assertCalm } from '../log.ts'
import { tally } from '../tally.ts'
import { createPeer } from './libp2p-peer.ts'

const CLIENTS = rounds(60, 200)

/** As many addresses as do not fill the relay: it gives 16 of its 128 places to each. */
const NETWORKS = 7

/** Meetings of honest peers while the others are at it. */
const MEETINGS = rounds(20, 60)

const HOP = '/libp2p/circuit/relay/0.2.0/hop'
const ECHO = '/test/echo/1.0.0'
const ECHO_BYTES = 64 << 10

/** A misbehaving client does the next thing after this, in ms: with all of them in one process, it is that which limits them. */
const PAUSE_MS = 1_000

const MOST_MEMORY = 400 * MIB

test(`a relay under ${CLIENTS} clients that misbehave`, async (t) => {
  const homes = await Homes.open(t)
  const relay = await homes.add('relay', { 'relay.serve': 'on' })
  const address = multiaddr(await relay.address())
  const peers = new Peers(t, address)
  const [early, other] = [await peers.host('127.0.2.1'), await peers.honest('127.0.2.2')]
  const trap = await openTrap(t)
  const crowd = new Crowd(peers, trap.port)
  t.after(() => crowd.leave())
  await crowd.come()
  await until('all of them are at it', async () => crowd.done > CLIENTS)
  const late = await peers.host('127.0.2.3')
  for (let meeting = 0; meeting < MEETINGS; meeting++)
    await meet(other, address, meeting % 2 === 0 ? early : late)
  await crowd.leave()
  assert.equal(trap.calls, 0, 'the relay called a machine that a client named')
  const { pid } = await relay.daemon()
  const memory = await memoryOf(pid, 'VmHWM')
  t.diagnostic(`${crowd.done} things done; the relay took ${memory} bytes at most`)
  assert.ok(memory < MOST_MEMORY, `${memory} bytes`)
  await assertCalm(relay)
  tally(
    `what ${CLIENTS} clients of a relay did that misbehave`,
    crowd.done,
    `honest peers met there ${MEETINGS} times of ${MEETINGS}, nobody else was called`,
  )
})

/** Peers with addresses of their own, gone when the test ends. */
class Peers {
  readonly #t: TestContext
  readonly relay: Multiaddr

  constructor(t: TestContext, relay: Multiaddr) {
    this.#t = t
    this.relay = relay
  }

  async honest(from: string, listen: string[] = []): Promise<Libp2p> {
    const peer = await createPeer({ from, listen, relayed: true })
    this.#t.after(() => peer.stop())
    return peer
  }

  /** One that can be met at the relay, and echoes. */
  async host(from: string): Promise<Libp2p> {
    const peer = await this.honest(from, [`${this.relay}/p2p-circuit`])
    await peer.handle(ECHO, (stream) => void echo(stream), { runOnLimitedConnection: true })
    await until('it has a place', async () => peer.getMultiaddrs().length > 0)
    return peer
  }
}

/** Brings some bytes there and back through the relay. */
async function meet(from: Libp2p, relay: Multiaddr, to: Libp2p): Promise<void> {
  const connection = await from.dial(multiaddr(`${relay}/p2p-circuit/p2p/${to.peerId}`))
  const stream = await connection.newStream(ECHO, { runOnLimitedConnection: true })
  const bytes = randomBytes(ECHO_BYTES)
  const back = gather(stream, bytes.length)
  stream.send(bytes)
  assert.ok(bytes.equals(await back))
  await connection.close()
}

async function echo(stream: Stream): Promise<void> {
  stream.send(await gather(stream, ECHO_BYTES))
}

async function gather(stream: Stream, length: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let got = 0
  for await (const chunk of stream) {
    chunks.push(chunk.subarray())
    got += chunk.byteLength
    if (got >= length) break
  }
  return Buffer.concat(chunks)
}

/** A machine that is no peer, and counts who calls. */
async function openTrap(t: TestContext): Promise<{ port: number; calls: number }> {
  const server = createServer((socket) => {
    trap.calls++
    socket.destroy()
  })
  t.after(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  const trap = { port: typeof address === 'object' && address !== null ? address.port : 0, calls: 0 }
  return trap
}

/** Those who misbehave. */
class Crowd {
  done = 0
  readonly #peers: Peers
  readonly #trapPort: number
  readonly #leaving = new AbortController()
  readonly #members: Promise<void>[] = []

  constructor(peers: Peers, trapPort: number) {
    this.#peers = peers
    this.#trapPort = trapPort
  }

  async come(): Promise<void> {
    for (let number = 0; number < CLIENTS; number++) {
      const client = await this.#peers.honest(`127.0.1.${1 + (number % NETWORKS)}`)
      this.#members.push(this.#misbehave(client, createPrng(SEED + number)))
    }
  }

  async leave(): Promise<void> {
    this.#leaving.abort()
    await Promise.all(this.#members)
  }

  async #misbehave(client: Libp2p, prng: Prng): Promise<void> {
    const { signal } = this.#leaving
    const tricks = Object.values(TRICKS)
    while (!signal.aborted) {
      const trick = tricks[prng.below(tricks.length)]
      // the relay refuses, or hangs up: the next trick, then
      await client
        .dial(this.#peers.relay, { signal })
        .then((connection) => trick?.(connection, this.#trapPort))
        .catch(() => undefined)
      this.done++
      await sleep(PAUSE_MS)
    }
  }
}

const RESERVE = Buffer.from([0x08, 0])

/** Each with a connection to the relay. */
const TRICKS: Readonly<Record<string, (connection: Connection, trapPort: number) => Promise<void>>> = {
  /** Places, one after the other; nobody waits for the answer. */
  'asks for places': async (connection) => {
    for (let count = 0; count < 5; count++) await say(connection, framed(RESERVE))
  },
  'opens streams and is silent': async (connection) => {
    for (let count = 0; count < 15; count++) await connection.newStream(HOP)
  },
  'announces a message without an end': async (connection) => {
    await say(
      connection,
      Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
      randomBytes(ECHO_BYTES),
    )
  },
  'sends what is no message': async (connection) => {
    await say(connection, framed(randomBytes(64)))
  },
  /** A peer that is not there, with the address of a machine: a relay that dials it is an open proxy. */
  'wants to be joined with a machine': async (connection, trapPort) => {
    const at = multiaddr(`/ip4/127.0.0.1/tcp/${trapPort}`).bytes
    const peer = Buffer.concat([field(1, someId()), field(2, at)])
    await say(connection, framed(Buffer.concat([Buffer.from([0x08, 1]), field(2, peer)])))
  },
  /** Whoever has a place, as long as it is the relay itself. */
  'wants to be joined with the relay': async (connection) => {
    const peer = field(1, connection.remotePeer.toMultihash().bytes)
    await say(connection, framed(Buffer.concat([Buffer.from([0x08, 1]), field(2, peer)])))
  },
}

async function say(connection: Connection, ...parts: Uint8Array[]): Promise<void> {
  const stream = await connection.newStream(HOP)
  for (const part of parts) stream.send(part)
}

/** A field of bytes, and a message with its length before it, below 128 bytes. */
const field = (number: number, bytes: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes])
const framed = (message: Uint8Array): Buffer => Buffer.concat([Buffer.from([message.length]), message])

/** An Ed25519 key's id: an identity multihash of the key. */
const someId = (): Buffer =>
  Buffer.concat([Buffer.from([0x00, 0x24, 0x08, 0x01, 0x12, 0x20]), randomBytes(32)])

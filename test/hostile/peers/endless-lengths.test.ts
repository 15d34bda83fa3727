/**
 * Lengths that do not end, where lengths are read: before anybody has said who he is, where a stream names its protocol, and
 * in a message to the DHT. Each byte of them costs what a whole message does as long as nobody ends it.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Libp2p, Stream } from '@libp2p/interface'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { processSeconds } from '../../bench/cpu.ts'
import { type Home, Homes } from '../../e2e/homes.ts'
import { assertCalm } from '../log.ts'
import { tally } from '../tally.ts'
import { createPeer, send } from './libp2p-peer.ts'

const TIMES = 10
const ENDLESS = Buffer.alloc(200_000, 0xff)

/** What is sent by then is read, if anybody reads it, in ms. */
const READING = 3_000

/** Seconds of the processor for all of it; a tenth of that is used, and thirty times as much by a program that reads on. */
const MOST_SECONDS = 4

test('lengths that do not end', async (t) => {
  const homes = await Homes.open(t)
  const home = await homes.add('node')
  const address = multiaddr(await home.address())
  const peer = await createPeer()
  t.after(() => peer.stop())
  const ways: [string, () => Promise<void>][] = [
    ['before a handshake', () => beforeHandshake(address)],
    ['for the name of a protocol', () => asProtocol(peer, address)],
    ['as a message to the DHT', () => toDht(peer, address)],
  ]
  for (const [what, come] of ways) await t.test(what, (part) => costsLittle(part, home, come))
  await assertCalm(home)
  tally('lengths that do not end, from strangers', ways.length * TIMES, 'hung up on at once')
})

async function costsLittle(t: TestContext, home: Home, come: () => Promise<void>): Promise<void> {
  const { pid } = await home.daemon()
  const before = await processSeconds(pid)
  for (let time = 0; time < TIMES; time++) await come()
  await sleep(READING)
  const used = (await processSeconds(pid)) - before
  t.diagnostic(`${used.toFixed(1)} s`)
  assert.ok(used < MOST_SECONDS, `${used} s of the processor`)
}

async function beforeHandshake(address: Multiaddr): Promise<void> {
  const port = address.getComponents().find(({ name }) => name === 'tcp')?.value
  const socket = connect(Number(port), '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  socket.end(ENDLESS)
  socket.resume()
}

async function asProtocol(peer: Libp2p, address: Multiaddr): Promise<void> {
  const connection = await peer.dial(address)
  const muxer = 'muxer' in connection ? connection.muxer : undefined
  assert.ok(isMuxer(muxer))
  const stream = await muxer.createStream()
  await send(stream, ENDLESS).catch(() => undefined)
}

async function toDht(peer: Libp2p, address: Multiaddr): Promise<void> {
  const connection = await peer.dial(address)
  const stream = await connection.newStream('/ipfs/lan/kad/1.0.0')
  await send(stream, ENDLESS).catch(() => undefined)
}

interface Muxer {
  createStream(): Promise<Stream>
}

/** What a connection opens streams with, without saying what for. */
function isMuxer(muxer: unknown): muxer is Muxer {
  return typeof muxer === 'object' && muxer !== null && 'createStream' in muxer
}

import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { before, describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Connection, Libp2p, PeerId, Stream } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { PieceHasher } from '../../src/content/hashing/pieces.ts'
import { WORTH_A_THREAD } from '../../src/content/verify.ts'
import { millis, type PeerKey, peerKey } from '../../src/core/types.ts'
import { Bitswap, type BitswapHost } from '../../src/exchange/bitswap/bitswap.ts'
import { frameLength } from '../../src/exchange/bitswap/framing.ts'
import {
  blockPrefix,
  encodeBareBlocks,
  encodeMessage,
  type Message,
} from '../../src/exchange/bitswap/message.ts'
import { Outflow } from '../../src/exchange/outflow.ts'
import { Limits } from '../../src/swarm/limits.ts'
import { SendWindow } from '../../src/swarm/send-window.ts'
import { FakeStream } from './bitswap-fake-stream.ts'

const hasher = new PieceHasher()

const EMPTY: Message = { wants: [], full: false, blocks: [], presences: [] }

const data = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))
const cidOf = (text: string, codec = 0x55): CID =>
  CID.createV1(codec, Digest.create(0x12, Uint8Array.from(hash('sha256', data(text), 'buffer'))))
const blockOf = (text: string) => ({ prefix: blockPrefix(cidOf(text)), data: data(text) })

const framed = (parts: readonly Uint8Array[]): Uint8Array => {
  const body = Buffer.concat(parts)
  return Buffer.concat([frameLength(body.length), body])
}
const frame = (message: Partial<Message>): Uint8Array => framed(encodeMessage({ ...EMPTY, ...message }))

async function settled(): Promise<void> {
  for (let turns = 0; turns < 8; turns++) await turn()
}

describe('Bitswap between its streams and its host', () => {
  let id: PeerId
  let peer: PeerKey

  before(async () => {
    id = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
    peer = peerKey(id.toString())
  })

  /** A Bitswap whose libp2p hands it streams of one peer; the calls of its host, in words. */
  async function bench() {
    const calls: string[] = []
    const lines: string[] = []
    const texts = new Map<string, string>()
    const name = (cid: CID): string => texts.get(Buffer.from(cid.multihash.bytes).toString('hex')) ?? '?'
    const known = (text: string, codec?: number): CID => {
      const cid = cidOf(text, codec)
      texts.set(Buffer.from(cid.multihash.bytes).toString('hex'), text)
      return cid
    }
    const holding: { answer: Promise<void> } = { answer: Promise.resolve() }
    const host: BitswapHost = {
      onBlock: (_, cid, block) => calls.push(`block ${name(cid)} ${Buffer.from(block).toString()}`),
      onStrayBlock: async (_, cid) => void calls.push(`stray ${name(cid)}`),
      onPresences: (_, presences) => {
        for (const { cid, has, asked } of presences)
          calls.push(`${has ? 'has' : 'lacks'} ${name(cid)} ${asked}`)
      },
      onWants: async (_, wants, dropped) => {
        for (const cid of dropped) calls.push(`dropped ${name(cid)}`)
        for (const { cid, kind } of wants) calls.push(`wants ${kind} ${name(cid)}`)
        await holding.answer
      },
      onViolation: (_, reason) => calls.push(`violation: ${reason}`),
      onBytes: () => calls.push('bytes'),
      onGone: () => calls.push('gone'),
    }
    const events = new EventTarget()
    let handler: (stream: Stream, connection: Connection) => void = () => {}
    const outbound: FakeStream[] = []
    const connection = { remotePeer: id, status: 'open' }
    const libp2p = {
      addEventListener: events.addEventListener.bind(events),
      removeEventListener: events.removeEventListener.bind(events),
      async handle(_: string[], handle: typeof handler) {
        handler = handle
      },
      async unhandle() {},
      getConnections: () => [],
      async dialProtocol() {
        const stream = new FakeStream()
        outbound.push(stream)
        return stream
      },
    }
    const bitswap = new Bitswap({
      libp2p: libp2p as unknown as Libp2p,
      host,
      outflow: new Outflow({ window: new SendWindow(), limits: new Limits(), now: () => millis(0) }),
      hashBlock: (block) => hasher.hash(block),
      now: () => millis(0),
      log: (line) => lines.push(line.replace(peer, 'A')),
    })
    await bitswap.start()
    return {
      bitswap,
      known,
      holding,
      lines,
      outbound,
      /** A stream that the peer opens. */
      inbound(): FakeStream {
        const stream = new FakeStream()
        handler(stream.asStream, connection as unknown as Connection)
        return stream
      },
      disconnect(): void {
        connection.status = 'closed'
        events.dispatchEvent(Object.assign(new Event('peer:disconnect'), { detail: id }))
      },
      told: async (): Promise<string[]> => {
        await settled()
        return calls.splice(0)
      },
    }
  }

  it('gives blocks that were wanted, once', async () => {
    const { bitswap, known, inbound, told } = await bench()
    bitswap.want(peer, [known('a'), known('b')], 'block')
    const stream = inbound()
    stream.receive(frame({ blocks: [blockOf('a'), blockOf('b')] }))
    assert.deepEqual(await told(), ['block a a', 'block b b'])
  })

  it('gives large blocks whole and in their order, whether one is alone in its frame or not', async () => {
    const { bitswap, known, inbound, told } = await bench()
    const large = (letter: string): string => letter.repeat(WORTH_A_THREAD)
    const frames = [[large('a')], [large('b'), large('c')], [large('d')], ['e']]
    bitswap.want(
      peer,
      frames.flat().map((text) => known(text)),
      'block',
    )
    const stream = inbound()
    for (const texts of frames) stream.receive(frame({ blocks: texts.map(blockOf) }))
    const calls: string[] = []
    while (calls.length < 5) calls.push(...(await told()))
    assert.deepEqual(
      calls.map((call) => call.replaceAll(/(.)\1+/g, '$1')),
      ['block a a', 'block b b', 'block c c', 'block d d', 'block e e'],
    )
    assert.ok(calls.slice(0, 4).every(({ length }) => length === 'block  '.length + 2 * WORTH_A_THREAD))
  })

  it('gives a small block for a question, too', async () => {
    const { bitswap, known, inbound, told } = await bench()
    bitswap.want(peer, [known('a')], 'have')
    inbound().receive(frame({ blocks: [blockOf('a')] }))
    assert.deepEqual(await told(), ['block a a'])
  })

  it('gives blocks that come late, or twice, for the host to judge', async () => {
    const { bitswap, known, inbound, told } = await bench()
    bitswap.want(peer, [known('a'), known('b')], 'block')
    bitswap.cancel(peer, known('a'))
    inbound().receive(frame({ blocks: [blockOf('a'), blockOf('b'), blockOf('b')] }))
    assert.deepEqual(await told(), ['block a a', 'block b b', 'block b b'])
  })

  it('knows what nobody ever asked for', async () => {
    const { bitswap, known, inbound, told } = await bench()
    bitswap.want(peer, [known('a')], 'block')
    known('x')
    inbound().receive(frame({ blocks: [blockOf('x'), { ...blockOf('a'), data: data('not a') }] }))
    assert.deepEqual(await told(), ['stray x', 'stray ?'])
  })

  it('names blocks by their digest: an old peer sends them bare, a CIDv0 asks for the same', async () => {
    const { bitswap, known, inbound, told } = await bench()
    bitswap.want(peer, [known('a')], 'block')
    bitswap.want(peer, [known('b', 0x70).toV0()], 'block')
    inbound().receive(framed(encodeBareBlocks([blockOf('a'), blockOf('b')])))
    assert.deepEqual(await told(), ['block a a', 'block b b'])
  })

  it('gives answers with what was asked', async () => {
    const { bitswap, known, inbound, told } = await bench()
    bitswap.want(peer, [known('a'), known('b')], 'have')
    bitswap.want(peer, [known('c')], 'block')
    const presences = ['a', 'b', 'c', 'd'].map((text) => ({ cid: known(text), has: text !== 'b' }))
    inbound().receive(frame({ presences }))
    assert.deepEqual(await told(), ['has a have', 'lacks b have', 'has c block', 'has d undefined'])
    inbound().receive(frame({ presences }))
    assert.deepEqual(await told(), ['has a undefined', 'lacks b have', 'has c block', 'has d undefined'])
  })

  it('gives wants and cancels, and knows who waits', async () => {
    const { bitswap, known, inbound, told } = await bench()
    const want = (text: string, cancel = false) =>
      ({ cid: known(text), kind: 'block', cancel, sendDontHave: true }) as const
    const stream = inbound()
    stream.receive(frame({ full: true, wants: [want('a'), want('b')] }))
    assert.deepEqual(await told(), ['wants block a', 'wants block b'])
    assert.deepEqual(
      bitswap.waitingFor(known('b')).map((waiting) => waiting.peer),
      [peer],
    )
    stream.receive(frame({ wants: [want('b', true), want('x', true), want('c')] }))
    assert.deepEqual(await told(), ['dropped b', 'wants block c'])
    stream.receive(frame({ full: true, wants: [want('c'), want('d')] }))
    assert.deepEqual(await told(), ['dropped a', 'wants block c', 'wants block d'])
    assert.deepEqual(bitswap.waitingFor(known('a')), [])
    stream.receive(frame({ full: true }))
    assert.deepEqual(await told(), ['dropped c', 'dropped d'])
  })

  it('lets the next message wait for the host', async () => {
    const { holding, known, inbound, told } = await bench()
    const held = Promise.withResolvers<void>()
    holding.answer = held.promise
    const wants = [{ cid: known('a'), kind: 'block', cancel: false, sendDontHave: true }] as const
    const stream = inbound()
    stream.receive(frame({ wants }))
    stream.receive(frame({ presences: [{ cid: known('b'), has: true }] }))
    assert.deepEqual(await told(), ['wants block a'])
    held.resolve()
    assert.deepEqual(await told(), ['has b undefined'])
  })

  it('closes its half of a stream that the peer has ended', async () => {
    const { inbound } = await bench()
    const stream = inbound()
    stream.receiveLast(frame({}))
    await settled()
    assert.equal(stream.status, 'closed')
  })

  const hostile: [name: string, wire: Uint8Array, line: RegExp][] = [
    ['a frame too long', Uint8Array.of(0xff, 0xff, 0xff, 0x7f), /a frame of 268435455 bytes/],
    ['what is no message', Uint8Array.of(1, 0x0b), /unknown wire type/],
    [
      'a block over 2 MiB',
      frame({ blocks: [{ ...blockOf('a'), data: new Uint8Array((2 << 20) + 1) }] }),
      /2097153/,
    ],
    [
      'a block by a hash of another kind',
      frame({ blocks: [{ prefix: Uint8Array.of(1, 0x55, 0x13, 0x40), data: data('a') }] }),
      /hash/,
    ],
  ]
  for (const [name, wire, line] of hostile) {
    it(`aborts a stream with ${name}`, async () => {
      const { inbound, lines, told } = await bench()
      const stream = inbound()
      stream.receive(wire)
      const [call = '', ...more] = (await told()).filter((each) => each !== 'bytes')
      assert.match(call, /^violation: sent /)
      assert.match(call, line)
      assert.deepEqual([stream.status, more, lines], ['aborted', [], []])
    })
  }

  it('tells once that a peer is gone, and forgets its wants', async () => {
    const { bitswap, known, inbound, disconnect, told } = await bench()
    const wants = [{ cid: known('a'), kind: 'block', cancel: false, sendDontHave: true }] as const
    const stream = inbound()
    stream.receive(frame({ wants }))
    await told()
    disconnect()
    stream.reset()
    assert.deepEqual(await told(), ['gone'])
    disconnect()
    assert.deepEqual(await told(), [])
    assert.deepEqual(bitswap.waitingFor(known('a')), [])
    assert.equal(await bitswap.sendBlock(peer, known('a'), async () => data('a')), undefined)
  })

  it('does nothing more with what a peer that is gone has sent', async () => {
    const { bitswap, known, holding, inbound, disconnect, outbound, told } = await bench()
    const held = Promise.withResolvers<void>()
    holding.answer = held.promise
    const want = (text: string) =>
      ({ cid: known(text), kind: 'block', cancel: false, sendDontHave: true }) as const
    const stream = inbound()
    stream.receive(frame({ wants: [want('a')] }))
    stream.receive(frame({ wants: [want('b')] }))
    assert.deepEqual(await told(), ['wants block a'])
    disconnect()
    stream.reset()
    held.resolve()
    assert.deepEqual(await told(), ['gone'])
    assert.deepEqual(bitswap.waitingFor(known('b')), [], 'no link has come back to life')
    assert.equal(outbound.length, 0)
  })
})

/** The share wire, misused. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Stream } from '@libp2p/interface'
import { Bitfield } from '../../../src/core/bitfield.ts'
import { Connection } from '../../../src/exchange/peer-wire/connection.ts'
import type { WireEvent } from '../../../src/exchange/peer-wire/events.ts'
import { encodeMessage, type KnownMessage } from '../../../src/exchange/peer-wire/messages.ts'
import { PEER_WIRE } from '../../../src/exchange/peer-wire/peer-wire.ts'
import { answerBitswap } from './bitswap.ts'
import { type Content, wrong } from './content.ts'
import { createPeer, send } from './libp2p-peer.ts'
import { type HostilePeer, SLOW_MS, type Verdict, type Wire } from './mischief.ts'

/** What it says of itself in an offer: faster than anybody. */
const TERMS = { rate: 100e6, start: 0 }

/** How much of anything is too much. */
const FLOOD = 100_000

interface Scene {
  readonly stream: Stream
  readonly connection: Connection
  readonly content: Content
}

type Requested = Extract<WireEvent, { type: 'requested' }>

interface Mischief {
  readonly verdict: Verdict
  /** Instead of answering a request as one should. */
  request?(scene: Scene, requested: Requested, turn: number): Promise<void>
  /** Once both know what the other has. */
  listed?(scene: Scene): Promise<void>
  /** At once, before anything else. */
  opened?(scene: Scene): Promise<void>
}

const MISCHIEFS: Readonly<Record<string, Mischief>> = {
  'wrong bytes': {
    verdict: 'banned',
    request: async (scene, requested) => give(scene, requested, wrong(blockOf(scene, requested.index))),
  },
  'right, then wrong': {
    verdict: 'banned',
    request: async (scene, requested, turn) => {
      const block = blockOf(scene, requested.index)
      give(scene, requested, turn < 2 ? block : wrong(block))
    },
  },
  'another piece': {
    verdict: 'banned',
    request: async (scene, requested) =>
      give(scene, requested, blockOf(scene, (requested.index + 1) % scene.content.pieces.length)),
  },
  'pieces that nobody asked for': {
    verdict: 'banned',
    listed: (scene) =>
      flood(scene, 64, (at) => piece(at % scene.content.pieces.length, Buffer.alloc(65_536))),
  },
  duplicates: {
    verdict: 'banned',
    request: async (scene, requested) => {
      const data = blockOf(scene, requested.index).subarray(0, 1000)
      await flood(scene, 20, () => piece(requested.index, data))
    },
  },
  'a message of 2 GiB': {
    verdict: 'banned',
    listed: ({ stream }) => send(stream, Buffer.from('7fffffff07', 'hex')),
  },
  'a message of 4 GiB': {
    verdict: 'banned',
    listed: ({ stream }) => send(stream, Buffer.from('ffffffff14', 'hex')),
  },
  'a message cut short': {
    verdict: 'suffered',
    listed: async ({ stream }) => {
      await send(stream, Buffer.from('0000400007', 'hex'))
      await stream.close()
    },
  },
  'a byte a second': {
    verdict: 'suffered',
    listed: ({ stream }) => trickle(stream, Buffer.from('00010000', 'hex')),
  },
  'silence at once': { verdict: 'suffered', opened: async () => undefined },
  'silence after the handshake': { verdict: 'suffered', listed: async () => undefined },
  'have all, without having': {
    verdict: 'suffered',
    request: async ({ connection }, { index, begin }) => void connection.sending?.reject(index, begin),
  },
  'a second list': {
    verdict: 'banned',
    listed: (scene) => raw(scene, { type: 'have-none' }, { type: 'have-all' }),
  },
  'a hundred thousand requests': {
    verdict: 'banned',
    listed: (scene) =>
      flood(scene, FLOOD, (at) => ({
        type: 'request',
        index: at % scene.content.pieces.length,
        begin: 0,
        length: 1,
      })),
  },
  'pieces out of bounds': {
    verdict: 'banned',
    listed: (scene) => raw(scene, { type: 'have', index: 0xffff_fff0 }),
  },
  'a dictionary bomb': {
    verdict: 'banned',
    listed: (scene) => raw(scene, { type: 'extended', id: 0, payload: Buffer.from('l'.repeat(60_000)) }),
  },
  'a length that never ends': {
    verdict: 'banned',
    listed: (scene) => raw(scene, { type: 'extended', id: 0, payload: Buffer.from('l-3:ae') }),
  },
  'another count': {
    verdict: 'banned',
    listed: (scene) => raw(scene, { type: 'extended', id: 0, payload: Buffer.from('d1:mde1:ni9999999ee') }),
  },
  'a flood of handshakes': {
    verdict: 'suffered',
    listed: (scene) =>
      flood(scene, FLOOD, () => ({ type: 'extended', id: 0, payload: Buffer.from('d1:mdee') })),
  },
  'a flood of haves': {
    verdict: 'suffered',
    listed: (scene) =>
      flood(scene, FLOOD, (at) => ({ type: 'have', index: at % scene.content.pieces.length })),
  },
  'a flood of unknown messages': {
    verdict: 'suffered',
    listed: async ({ stream }) => {
      const many = Buffer.alloc(5 * 10_000, Buffer.from('00000001c8', 'hex'))
      for (let sent = 0; sent < 10; sent++) await send(stream, many)
    },
  },
}

export const shareWire: Wire = {
  name: 'share wire',
  mischiefs: Object.fromEntries(Object.entries(MISCHIEFS).map(([name, { verdict }]) => [name, verdict])),
  start,
}

async function start(content: Content, name: string): Promise<HostilePeer> {
  const mischief = MISCHIEFS[name]
  if (mischief === undefined) throw new Error(`no such mischief: ${name}`)
  const libp2p = await createPeer()
  const misbehaved = Promise.withResolvers<void>()
  await answerBitswap(libp2p, content, async () => undefined)
  await libp2p.handle(PEER_WIRE, (stream) => {
    void trade(
      { stream, connection: new Connection({ version: 'hostile', requests: 250 }), content },
      mischief,
      () => misbehaved.resolve(),
    ).catch(() => misbehaved.resolve())
  })
  return {
    address: String(libp2p.getMultiaddrs()[0]),
    id: libp2p.peerId.toString(),
    misbehaved: misbehaved.promise,
    stop: async () => libp2p.stop(),
  }
}

async function trade(scene: Scene, mischief: Mischief, done: () => void): Promise<void> {
  const { stream, connection } = scene
  if (mischief.opened !== undefined) return mischief.opened(scene).then(done)
  let turns = 0
  for await (const chunk of stream) {
    for (const event of connection.receive(chunk.subarray())) {
      const turn = event.type === 'requested' ? turns++ : 0
      if (await misbehave(scene, mischief, event, turn)) {
        await flush(scene)
        if (event.type !== 'requested' || turn >= 2) done()
      } else behave(scene, event)
    }
    await flush(scene)
  }
  done()
}

/** True when that was it. */
async function misbehave(scene: Scene, mischief: Mischief, event: WireEvent, turn: number): Promise<boolean> {
  if (event.type === 'requested' && mischief.request !== undefined) {
    await mischief.request(scene, event, turn)
    return true
  }
  if (event.type !== 'listed' || mischief.listed === undefined) return false
  behave(scene, event)
  await flush(scene)
  await mischief.listed(scene)
  return true
}

function behave({ connection, content: { pieces } }: Scene, event: WireEvent): void {
  if (event.type === 'greeted')
    connection.introduce(event.root, { sizes: pieces.blockSizes, have: Bitfield.full(pieces.length) })
  if (event.type !== 'listed') return
  connection.sending?.unchoke()
  for (let piece = 0; piece < pieces.length; piece++) connection.sending?.offer(piece, TERMS)
}

async function flush({ stream, connection }: Scene): Promise<void> {
  for (let out = connection.next(); out !== undefined; out = connection.next())
    await send(stream, ...out.parts)
}

function give({ connection }: Scene, { index, begin, length }: Requested, block: Uint8Array): void {
  const bytes = Buffer.alloc(length)
  bytes.set(block.subarray(begin, begin + length))
  connection.sending?.answer(index, begin, bytes)
}

function blockOf({ content }: Scene, index: number): Uint8Array {
  return content.block(content.pieces.cid(index)) ?? new Uint8Array(0)
}

function piece(index: number, data: Uint8Array): KnownMessage {
  return { type: 'piece', index, begin: 0, data }
}

async function raw({ stream }: Scene, ...messages: KnownMessage[]): Promise<void> {
  for (const message of messages) await send(stream, ...encodeMessage(message))
}

async function flood(scene: Scene, count: number, message: (at: number) => KnownMessage): Promise<void> {
  const PER_WRITE = 1000
  for (let at = 0; at < count; at += PER_WRITE) {
    const some = Array.from({ length: Math.min(PER_WRITE, count - at) }, (_, one) =>
      encodeMessage(message(at + one)),
    )
    await send(scene.stream, Buffer.concat(some.flat()))
  }
}

async function trickle(stream: Stream, start: Uint8Array): Promise<void> {
  await send(stream, start)
  void (async () => {
    while (stream.status === 'open') {
      await send(stream, Uint8Array.of(7))
      await sleep(SLOW_MS, undefined, { ref: false })
    }
  })().catch(() => undefined)
}

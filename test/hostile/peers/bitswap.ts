/** Bitswap, misused. */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Libp2p, PeerId, Stream } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'
import { RAW } from '../../../src/core/cid.ts'
import { decodeFrames, frameLength } from '../../../src/exchange/bitswap/framing.ts'
import {
  blockPrefix,
  decodeMessage,
  encodeMessage,
  type Message,
  type WantEntry,
} from '../../../src/exchange/bitswap/message.ts'
import { cidOf } from '../../unit/store-fixture.ts'
import { type Content, wrong } from './content.ts'
import { createPeer, send } from './libp2p-peer.ts'
import { type HostilePeer, SLOW_MS, type Verdict, type Wire } from './mischief.ts'

const PROTOCOL = '/ipfs/bitswap/1.2.0'

const NOTHING: Message = { wants: [], full: false, blocks: [], presences: [] }

/** One want for a leaf, and what to do with it. */
interface Turn {
  readonly out: Stream
  readonly want: WantEntry
  readonly block: Uint8Array
  readonly content: Content
  /** How many wants for blocks came before. */
  readonly turn: number
}

interface Mischief {
  readonly verdict: Verdict
  /** Answers a want for a leaf's block. */
  answer(turn: Turn): Promise<void>
}

const MISCHIEFS: Readonly<Record<string, Mischief>> = {
  'wrong bytes': {
    verdict: 'banned',
    answer: ({ out, want, block }) => give(out, want.cid, wrong(block)),
  },
  'right, then wrong': {
    verdict: 'banned',
    answer: ({ out, want, block, turn }) => give(out, want.cid, turn < 2 ? block : wrong(block)),
  },
  'blocks that nobody asked for': {
    verdict: 'banned',
    answer: async ({ out }) => {
      for (let sent = 0; sent < 16; sent++) {
        const bytes = randomBytes(1 << 20)
        await give(out, cidOf(RAW, bytes), bytes)
      }
    },
  },
  'another piece': {
    verdict: 'suffered',
    answer: ({ out, want, content }) => give(out, want.cid, content.other(want.cid)),
  },
  duplicates: {
    verdict: 'suffered',
    answer: async ({ out, want, block }) => {
      for (let sent = 0; sent < 20; sent++) await give(out, want.cid, block)
    },
  },
  'a block of 3 MiB': {
    verdict: 'banned',
    answer: ({ out, want }) => give(out, want.cid, Buffer.alloc(3 << 20)),
  },
  'a message of 5 MiB': {
    verdict: 'banned',
    answer: ({ out }) => send(out, frameLength(5 << 20), Buffer.alloc(5 << 20)),
  },
  'a length of 2^63': {
    verdict: 'banned',
    answer: ({ out }) => send(out, Buffer.from('ffffffffffffffff7f', 'hex'), Buffer.alloc(1 << 20)),
  },
  'a message cut short': {
    verdict: 'suffered',
    answer: async ({ out, block }) => {
      await send(out, frameLength(block.length), block.subarray(0, block.length >> 1))
      await out.close()
    },
  },
  'a message without an end': {
    verdict: 'suffered',
    answer: async ({ out, block }) => {
      await send(out, frameLength(4 << 20), block.subarray(0, 1000))
      await trickle(out)
    },
  },
  'a byte a second': {
    verdict: 'suffered',
    answer: ({ out }) => trickle(out),
  },
  silence: { verdict: 'suffered', answer: async () => undefined },
  'have all, without having': {
    verdict: 'suffered',
    answer: ({ out, want }) => tell(out, { ...NOTHING, presences: [{ cid: want.cid, has: false }] }),
  },
  'have and have not': {
    verdict: 'suffered',
    answer: async ({ out, want: { cid } }) => {
      const presences = Array.from({ length: 1000 }, (_, at) => ({ cid, has: at % 2 === 0 }))
      for (let sent = 0; sent < 20; sent++) await tell(out, { ...NOTHING, presences })
    },
  },
  'a hundred thousand wants': {
    verdict: 'suffered',
    answer: async ({ out }) => {
      for (let sent = 0; sent < 100; sent++) {
        const wants = Array.from({ length: 1000 }, (_, at) => wantFor(sent * 1000 + at))
        await tell(out, { ...NOTHING, wants })
      }
    },
  },
  'a million entries': {
    verdict: 'banned',
    answer: ({ out }) => send(out, frameLength(2 << 20), Buffer.alloc(2 << 20, Buffer.from([0x22, 0]))),
  },
  'fields in fields': {
    verdict: 'banned',
    answer: async ({ out }) => {
      let nested: Buffer = Buffer.alloc(0)
      for (let depth = 0; depth < 2000; depth++)
        nested = Buffer.concat([Buffer.from([0x0a]), frameLength(nested.length), nested])
      await send(out, frameLength(nested.length), nested)
    },
  },
}

export const bitswap: Wire = {
  name: 'bitswap',
  mischiefs: Object.fromEntries(Object.entries(MISCHIEFS).map(([name, { verdict }]) => [name, verdict])),
  start,
}

async function start(content: Content, name: string): Promise<HostilePeer> {
  const mischief = MISCHIEFS[name]
  if (mischief === undefined) throw new Error(`no such mischief: ${name}`)
  const libp2p = await createPeer()
  const misbehaved = Promise.withResolvers<void>()
  // shut out before it was asked for a third block
  libp2p.addEventListener('peer:disconnect', () => misbehaved.resolve())
  let turns = 0
  await answerBitswap(libp2p, content, async (out, want, block) => {
    const turn = turns++
    try {
      await mischief.answer({ out, want, block, content, turn })
    } finally {
      if (mischief.verdict === 'suffered' || turn >= 2 || turn >= content.pieces.length - 1)
        misbehaved.resolve()
    }
  })
  return {
    address: String(libp2p.getMultiaddrs()[0]),
    id: libp2p.peerId.toString(),
    misbehaved: misbehaved.promise,
    stop: async () => libp2p.stop(),
  }
}

/** Has everything, and gives the DAG nodes; a want for a leaf's block is left to `leaf`. */
export async function answerBitswap(
  libp2p: Libp2p,
  content: Content,
  leaf: (out: Stream, want: WantEntry, block: Uint8Array) => Promise<void>,
): Promise<void> {
  const answer = async (out: Stream, want: WantEntry): Promise<void> => {
    const block = content.block(want.cid)
    if (want.kind === 'have' || block === undefined)
      return tell(out, { ...NOTHING, presences: [{ cid: want.cid, has: true }] })
    return content.isLeaf(want.cid) ? leaf(out, want, block) : give(out, want.cid, block)
  }
  await libp2p.handle(PROTOCOL, (stream, connection) => {
    // the other side hangs up: that is what is hoped for
    void serve(libp2p, stream, connection.remotePeer, answer).catch(() => undefined)
  })
}

/** Answers on a stream of its own, as Bitswap does. */
async function serve(
  libp2p: Libp2p,
  stream: Stream,
  peer: PeerId,
  answer: (out: Stream, want: WantEntry) => Promise<void>,
): Promise<void> {
  const out = await libp2p.dialProtocol(peer, PROTOCOL)
  for await (const frame of decodeFrames(() => undefined)(stream))
    for (const want of decodeMessage(frame).wants) if (!want.cancel) await answer(out, want)
}

function give(out: Stream, cid: CID, data: Uint8Array): Promise<void> {
  return tell(out, { ...NOTHING, blocks: [{ prefix: blockPrefix(cid), data }] })
}

async function tell(out: Stream, message: Message): Promise<void> {
  const parts = encodeMessage(message)
  const length = parts.reduce((sum, part) => sum + part.byteLength, 0)
  await send(out, frameLength(length), ...parts)
}

function wantFor(number: number): WantEntry {
  const cid = cidOf(RAW, Buffer.from(`nobody has this: ${number}`))
  return { cid, kind: number % 2 === 0 ? 'block' : 'have', cancel: false, sendDontHave: true }
}

/** A byte a second, for as long as the other side takes them. */
async function trickle(out: Stream): Promise<void> {
  void (async () => {
    while (out.status === 'open') {
      await send(out, Uint8Array.of(0x80))
      await sleep(SLOW_MS, undefined, { ref: false })
    }
  })().catch(() => undefined)
}

/** Two exchanges in one process over libp2p on loopback: what no fake stream shows. */
import assert from 'node:assert/strict'
import { createHash, hash } from 'node:crypto'
import { afterEach, describe, it } from 'node:test'
import { identify } from '@libp2p/identify'
import type { Libp2p, Stream } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { PieceHasher } from '../../src/content/hashing/pieces.ts'
import { blockKey } from '../../src/core/cid.ts'
import { millis, type PeerKey, peerKey } from '../../src/core/types.ts'
import { Bitswap, type BitswapHost } from '../../src/exchange/bitswap/bitswap.ts'
import { FrameDecoder, frameLength } from '../../src/exchange/bitswap/framing.ts'
import { decodeMessage, encodeMessage, type Message } from '../../src/exchange/bitswap/message.ts'
import { Outflow } from '../../src/exchange/outflow.ts'
import { Limits } from '../../src/swarm/limits.ts'
import { SendWindow } from '../../src/swarm/send-window.ts'

const KIB = 1024

const hasher = new PieceHasher()

const cidOf = (block: Uint8Array): CID =>
  CID.createV1(0x55, Digest.create(0x12, Uint8Array.from(hash('sha256', block, 'buffer'))))

/** A block of that many bytes, different for each number. */
function makeBlock(number: number, bytes: number): Uint8Array {
  const block = new Uint8Array(bytes).fill(number)
  if (bytes >= 4) new DataView(block.buffer).setUint32(0, number)
  return block
}

/** Resolves once the condition holds; looked at whenever `poke` is called. */
class Condition {
  #waiting: (() => void)[] = []

  poke(): void {
    for (const look of this.#waiting.splice(0)) look()
  }

  async holds(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }
}

/** A host that serves what it has at once, and keeps what comes. */
class Host extends Condition implements BitswapHost {
  readonly has = new Map<string, Uint8Array>()
  readonly received = new Map<string, number>()
  readonly wanted: string[] = []
  readonly dropped: string[] = []
  readonly answers: string[] = []
  readonly gone: PeerKey[] = []
  strays = 0
  bitswap: Bitswap | undefined

  add(block: Uint8Array): CID {
    const cid = cidOf(block)
    this.has.set(blockKey(cid), block)
    return cid
  }

  onBlock(_: PeerKey, cid: CID, block: Uint8Array): void {
    const digest = createHash('sha256').update(block).digest()
    assert.deepEqual(Buffer.from(cid.multihash.digest), digest)
    this.received.set(blockKey(cid), (this.received.get(blockKey(cid)) ?? 0) + 1)
    this.poke()
  }

  async onStrayBlock(): Promise<void> {
    this.strays++
  }

  onViolation(_: PeerKey, reason: string): void {
    assert.fail(reason)
  }

  onPresences(_: PeerKey, presences: readonly { cid: CID; has: boolean }[]): void {
    for (const { cid, has } of presences) this.answers.push(`${has ? 'has' : 'lacks'} ${cid}`)
    this.poke()
  }

  async onWants(
    peer: PeerKey,
    wants: Parameters<BitswapHost['onWants']>[1],
    dropped: readonly CID[],
  ): Promise<void> {
    for (const cid of dropped) this.dropped.push(cid.toString())
    for (const { cid, kind, sendDontHave } of wants) {
      this.wanted.push(cid.toString())
      const block = this.has.get(blockKey(cid))
      if (block === undefined && !sendDontHave) continue
      if (block === undefined || kind === 'have') this.bitswap?.tellPresence(peer, cid, block !== undefined)
      else void this.bitswap?.sendBlock(peer, cid, async () => block)
    }
    this.poke()
  }

  onBytes(): void {}

  onGone(peer: PeerKey): void {
    this.gone.push(peer)
    this.poke()
  }
}

interface Peer {
  readonly libp2p: Libp2p
  readonly key: PeerKey
  readonly host: Host
  readonly bitswap: Bitswap
}

const started: { stop(): Promise<void> | void }[] = []

async function startLibp2p(): Promise<Libp2p> {
  const libp2p = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [tls()],
    // as the node has it: a paused stream may hold a whole window
    streamMuxers: [yamux({ streamOptions: { maxReadBufferLength: 17 * KIB * KIB } })],
    services: { identify: identify() },
  })
  started.push(libp2p)
  return libp2p
}

async function start(): Promise<Peer> {
  const libp2p = await startLibp2p()
  const host = new Host()
  const log = (line: string): void => assert.fail(line)
  const now = () => millis(performance.now())
  const bitswap = new Bitswap({
    libp2p,
    host,
    outflow: new Outflow({ window: new SendWindow(), limits: new Limits(), now }),
    hashBlock: (block) => hasher.hash(block),
    now,
    log,
  })
  host.bitswap = bitswap
  await bitswap.start()
  started.unshift(bitswap)
  return { libp2p, key: peerKey(libp2p.peerId.toString()), host, bitswap }
}

async function pair(): Promise<[Peer, Peer]> {
  const [a, b] = [await start(), await start()]
  const met = new Promise((resolve) => b.libp2p.addEventListener('peer:connect', resolve, { once: true }))
  await a.libp2p.dial(b.libp2p.getMultiaddrs())
  await met
  return [a, b]
}

describe('two exchanges', { timeout: 30_000 }, () => {
  afterEach(async () => {
    for (const each of started.splice(0)) await each.stop()
  })

  it('give each other 200 blocks of all sizes, each once', async () => {
    const [a, b] = await pair()
    const sizes = [4, 100, 4 * KIB, 16 * KIB, 100, 128 * KIB, 256 * KIB]
    const large = [0, 1, 2, 3, 1024 * KIB, 1024 * KIB, 2048 * KIB, 2048 * KIB]
    const blocks = Array.from({ length: 200 }, (_, number) =>
      makeBlock(number, large[number] ?? sizes[number % sizes.length] ?? 0),
    )
    const [ofA, ofB] = [a, b].map(({ host }, parity) =>
      blocks.filter((_, number) => number % 2 === parity).map((block) => host.add(block)),
    )
    a.bitswap.want(b.key, ofB ?? [], 'block')
    b.bitswap.want(a.key, ofA ?? [], 'block')
    await a.host.holds(() => a.host.received.size === 100)
    await b.host.holds(() => b.host.received.size === 100)
    for (const { host } of [a, b]) {
      assert.deepEqual(new Set(host.received.values()), new Set([1]))
      assert.equal(host.strays, 0)
    }
    assert.deepEqual(a.bitswap.waitingFor(ofA?.[0] ?? cidOf(makeBlock(0, 0))), [])
  })

  it('read no further ahead than the other side takes', async () => {
    const [a, b] = await pair()
    const blocks = Array.from({ length: 160 }, (_, number) => makeBlock(number, 512 * KIB))
    const cids = blocks.map((block) => b.host.add(block))
    // what arrives is not stored: at 32 MiB the receiver stops reading
    let held = 0
    a.host.onBlock = (_, cid, block) => {
      a.host.received.set(blockKey(cid), 1)
      a.bitswap.hold(block.length)
      held += block.length
      a.host.poke()
    }
    let read = 0
    let sent = 0
    b.host.onWants = async (peer, wants) => {
      for (const { cid } of wants) {
        const sending = b.bitswap.sendBlock(peer, cid, async () => {
          read++
          return b.host.has.get(blockKey(cid))
        })
        void sending.then(() => sent++)
      }
    }
    a.bitswap.want(b.key, cids, 'block')
    await a.host.holds(() => held > 32 << 20)
    // time for a sender that would not wait
    await new Promise((resolve) => setTimeout(resolve, 300))
    // 32 MiB are held, 16 may be in yamux' window, and as much in the buffers of sockets
    assert.ok(read < 130, `${read} of 160 blocks were read from disk`)
    assert.ok(sent < 130, `${sent} of 160 blocks count as sent`)
    a.bitswap.release(held)
    a.host.onBlock = (_, cid) => {
      a.host.received.set(blockKey(cid), 1)
      a.host.poke()
    }
    await a.host.holds(() => a.host.received.size === 160)
  })

  it('answer questions, and the server hears of cancels', async () => {
    const [a, b] = await pair()
    const there = b.host.add(makeBlock(1, 10))
    const missing = cidOf(makeBlock(2, 10))
    a.bitswap.want(b.key, [there, missing], 'have')
    await a.host.holds(() => a.host.answers.length === 2)
    assert.deepEqual(a.host.answers, [`has ${there}`, `lacks ${missing}`])
    assert.deepEqual(
      b.bitswap.waitingFor(missing).map(({ peer, want }) => [peer, want.kind]),
      [[a.key, 'have']],
      'the question stands',
    )
    a.bitswap.cancel(b.key, missing)
    await b.host.holds(() => b.host.dropped.length > 0)
    assert.deepEqual(b.host.dropped, [missing.toString()])
    assert.deepEqual(b.bitswap.waitingFor(missing), [])
  })

  it('notice that the other has gone', async () => {
    const [a, b] = await pair()
    a.bitswap.want(b.key, [cidOf(makeBlock(1, 10))], 'block')
    await b.host.holds(() => b.host.wanted.length === 1)
    await b.libp2p.stop()
    await a.host.holds(() => a.host.gone.length === 1)
    assert.deepEqual(a.host.gone, [b.key])
    assert.equal(
      await a.bitswap.sendBlock(b.key, cidOf(makeBlock(2, 9)), async () => makeBlock(2, 9)),
      undefined,
    )
  })

  for (const version of ['1.1.0', '1.0.0']) {
    it(`serve a client that knows only ${version}`, async () => {
      const protocol = `/ipfs/bitswap/${version}`
      const server = await start()
      const block = makeBlock(7, 300 * KIB)
      const cid = server.host.add(block)
      const client = await startLibp2p()
      const received = Promise.withResolvers<Message>()
      await client.handle(protocol, (stream: Stream) => {
        const decoder = new FrameDecoder()
        stream.addEventListener('message', ({ data }) => {
          for (const frame of decoder.push(data.subarray())) received.resolve(decodeMessage(frame))
        })
      })
      const connection = await client.dial(server.libp2p.getMultiaddrs())
      const stream = await connection.newStream(protocol)
      const want = { cid, kind: 'block', cancel: false, sendDontHave: false } as const
      const parts = encodeMessage({ wants: [want], full: true, blocks: [], presences: [] })
      stream.send(frameLength(parts.reduce((sum, part) => sum + part.length, 0)))
      for (const part of parts) stream.send(part)
      await stream.close()
      const [answer] = (await received.promise).blocks
      assert.deepEqual(Buffer.from(answer?.data ?? []), Buffer.from(block))
      const prefix = version === '1.0.0' ? '00701220' : '01551220'
      assert.equal(Buffer.from(answer?.prefix ?? []).toString('hex'), prefix)
    })
  }
})

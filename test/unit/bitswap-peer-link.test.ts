import assert from 'node:assert/strict'
import { describe, it, mock } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { blockKey } from '../../src/core/cid.ts'
import { millis, peerKey } from '../../src/core/types.ts'
import { FrameDecoder } from '../../src/exchange/bitswap/framing.ts'
import { decodeMessage } from '../../src/exchange/bitswap/message.ts'
import { PeerLink } from '../../src/exchange/bitswap/peer-link.ts'
import { Outflow } from '../../src/exchange/outflow.ts'
import { Limits } from '../../src/swarm/limits.ts'
import { SendWindow } from '../../src/swarm/send-window.ts'
import { FakeStream } from './bitswap-fake-stream.ts'

const KIB = 1024
/** A CID for each number. */
function cid(number: number): CID {
  const digest = new Uint8Array(32)
  new DataView(digest.buffer).setUint32(0, number)
  return CID.createV1(0x55, Digest.create(0x12, digest))
}

const numberOf = ({ multihash: { digest } }: CID): number =>
  new DataView(digest.buffer, digest.byteOffset).getUint32(0)

async function settled(): Promise<void> {
  for (let turns = 0; turns < 5; turns++) await turn()
}

/** The messages on a stream in words: `full want-block 1, have 2; blocks 3 of 100 bytes`. */
function heard(stream: FakeStream): string[] {
  return new FrameDecoder().push(Buffer.concat(stream.sent)).map((frame) => {
    const { wants, full, blocks, presences } = decodeMessage(frame)
    return [
      ...(full ? ['full'] : []),
      ...wants.map((want) => `${want.cancel ? 'cancel' : `want-${want.kind}`} ${numberOf(want.cid)}`),
      ...presences.map((presence) => `${presence.has ? 'have' : 'lack'} ${numberOf(presence.cid)}`),
      ...blocks.map(({ data }) => `block of ${data.length}`),
    ].join(', ')
  })
}

const now = () => millis(0)

function bench({ limits = new Limits(), protocol = '/ipfs/bitswap/1.2.0' } = {}) {
  const streams: FakeStream[] = []
  const lost: string[] = []
  const opening = { refuse: false, narrow: false }
  const link = new PeerLink({
    peer: peerKey('A'),
    outflow: new Outflow({ window: new SendWindow(), limits, now }),
    async open() {
      if (opening.refuse) throw new Error('refused')
      const stream = new FakeStream(protocol)
      stream.narrow = opening.narrow
      streams.push(stream)
      return stream.asStream
    },
    lost: (peer) => lost.push(peer),
  })
  return {
    link,
    streams,
    lost,
    opening,
    want(...bytes: number[]): void {
      for (const byte of bytes) link.wants.want(cid(byte), 'block')
      link.tellWants()
    },
    stream: (at: number): FakeStream => streams[at] ?? assert.fail(`no stream ${at}`),
  }
}

/** A block's reader that counts how often it was asked. */
function block(bytes: number) {
  const reader = {
    reads: 0,
    async read(): Promise<Uint8Array> {
      reader.reads++
      return new Uint8Array(bytes)
    },
  }
  return reader
}

describe('what goes to a peer', () => {
  it('is wants and answers together in one message', async () => {
    const { link, stream } = bench()
    link.tellPresence(cid(8), true)
    link.tellPresence(cid(9), false)
    link.wants.want(cid(1), 'block')
    link.wants.want(cid(2), 'have')
    link.tellWants()
    await settled()
    assert.deepEqual(heard(stream(0)), ['full, want-block 1, want-have 2, have 8, lack 9'])
  })

  it('is wants one by one, and together while the peer has sixteen blocks to send', async () => {
    mock.timers.enable({ apis: ['setTimeout'] })
    const { link, stream, want } = bench()
    const blocks = [...Array(16).keys()]
    want(...blocks)
    await settled()
    want(16)
    await settled()
    want(17, 18)
    await settled()
    assert.equal(heard(stream(0)).length, 1, 'sixteen are told')
    mock.timers.tick(10)
    await settled()
    assert.deepEqual(heard(stream(0)).slice(1), ['want-block 16, want-block 17, want-block 18'])
    for (const at of blocks) link.wants.settle(blockKey(cid(at)))
    want(19)
    await settled()
    assert.deepEqual(heard(stream(0)).slice(2), ['want-block 19'], 'three are told')
    mock.timers.reset()
  })

  it('is blocks on a stream of their own', async () => {
    const { link, stream, want } = bench()
    want(1)
    await settled()
    assert.equal(await link.sendBlock(cid(2), block(100).read), 100)
    assert.deepEqual(heard(stream(0)), ['full, want-block 1'])
    assert.deepEqual(heard(stream(1)), ['block of 100'])
  })

  it('is not held up by a block under a limit', async () => {
    const limits = new Limits()
    limits.set('up', 1, now())
    const { link, stream, want } = bench({ limits })
    const sending = link.sendBlock(cid(2), block(200 * KIB).read)
    await settled()
    want(1)
    link.tellPresence(cid(3), true)
    await settled()
    assert.deepEqual(heard(stream(1)), ['full, want-block 1, have 3'])
    link.close()
    assert.equal(await sending, undefined)
  })

  it('gathers small blocks into messages of 128 KiB', async () => {
    const { link, stream } = bench()
    const sizes = [50, 50, 50, 50, 1024, 10].map((size) => size * KIB)
    const sent = await Promise.all(sizes.map((size, at) => link.sendBlock(cid(at), block(size).read)))
    assert.deepEqual(sent, sizes)
    assert.deepEqual(
      heard(stream(0)).map((message) => message.replaceAll('block of ', '').split(', ').map(Number)),
      [[50, 50, 50], [50, 1024], [10]].map((message) => message.map((size) => size * KIB)),
    )
  })

  it('is read when its turn comes, two blocks ahead', async () => {
    const { link, opening, stream } = bench()
    opening.narrow = true
    const blocks = [...Array(6)].map(() => block(200 * KIB))
    for (const [at, { read }] of blocks.entries()) void link.sendBlock(cid(at), read)
    await settled()
    const reads = (): number[] => blocks.map((each) => each.reads)
    assert.deepEqual(reads(), [1, 1, 1, 0, 0, 0], 'one is being written')
    for (let part = 0; part < 4; part++) {
      stream(0).drain()
      await settled()
    }
    assert.deepEqual(reads(), [1, 1, 1, 1, 0, 0])
    link.close()
  })

  it('leaves out blocks that cannot be read, and says so', async () => {
    const { link, stream } = bench()
    const results = await Promise.all([
      link.sendBlock(cid(1), async () => undefined),
      link.sendBlock(cid(2), block(10).read),
      link.sendBlock(cid(3), () => Promise.reject(new Error('the disk'))),
      link.sendBlock(cid(4), block(20).read),
    ])
    assert.deepEqual(results, [undefined, 10, undefined, 20])
    assert.deepEqual(heard(stream(0)), ['block of 10, block of 20'])
  })

  it('counts as sent when the stream has drained', async () => {
    const { link, opening, stream } = bench()
    opening.narrow = true
    let sent: number | undefined
    void link.sendBlock(cid(1), block(10).read).then((bytes) => {
      sent = bytes
    })
    await settled()
    assert.equal(sent, undefined)
    stream(0).drain()
    await settled()
    assert.equal(sent, 10)
  })

  it('is at most 256 answers a message', async () => {
    const { link, stream } = bench()
    for (let answers = 0; answers < 600; answers++) link.tellPresence(cid(answers), true)
    await settled()
    const lengths = heard(stream(0)).map((message) => message.split(', ').length)
    assert.deepEqual(lengths, [256, 256, 88])
  })

  it('is the last answer where several wait', async () => {
    const { link, stream } = bench()
    link.tellPresence(cid(1), false)
    link.tellPresence(cid(1), true)
    await settled()
    assert.deepEqual(heard(stream(0)), ['have 1'])
  })
})

describe('a broken stream', () => {
  it('has everything that is still wanted told again', async () => {
    const { link, stream, want } = bench()
    want(1, 2)
    await settled()
    link.wants.cancel(cid(1))
    stream(0).reset()
    await settled()
    assert.deepEqual(heard(stream(1)), ['full, want-block 2'])
  })

  it('has answers told again that it did not take', async () => {
    const { link, stream, opening } = bench()
    opening.narrow = true
    link.tellPresence(cid(1), true)
    await settled()
    opening.narrow = false
    link.tellPresence(cid(2), true)
    stream(0).reset()
    await settled()
    assert.deepEqual(heard(stream(1)), ['have 2, have 1'])
  })

  it('settles blocks that did not leave', async () => {
    const { link, opening, stream, streams } = bench()
    opening.narrow = true
    const sends = [1, 2, 3].map((byte) => link.sendBlock(cid(byte), block(200 * KIB).read))
    await settled()
    stream(0).reset()
    assert.deepEqual(await Promise.all(sends), [undefined, undefined, undefined])
    opening.narrow = false
    assert.equal(await link.sendBlock(cid(4), block(5).read), 5)
    assert.equal(streams.length, 2)
  })

  it('three times in a row means that the peer is lost', async () => {
    const { lost, opening, want } = bench()
    opening.refuse = true
    want(1)
    await settled()
    assert.deepEqual(lost, ['A'])
  })

  it('does not count when something was sent since', async () => {
    const { lost, stream, want } = bench()
    for (let breaks = 0; breaks < 5; breaks++) {
      want(breaks)
      await settled()
      stream(breaks).reset()
      await settled()
    }
    assert.deepEqual(lost, [])
  })
})

describe('a link that is closed', () => {
  it('settles what was to be sent', async () => {
    const { link, opening } = bench()
    opening.narrow = true
    const sends = [1, 2, 3].map((byte) => link.sendBlock(cid(byte), block(200 * KIB).read))
    await settled()
    link.close()
    assert.deepEqual(await Promise.all(sends), [undefined, undefined, undefined])
  })

  it('takes nothing more', async () => {
    const { link, streams, want } = bench()
    link.close()
    want(1)
    link.tellPresence(cid(1), true)
    assert.equal(await link.sendBlock(cid(1), block(10).read), undefined)
    await settled()
    assert.equal(streams.length, 0)
  })
})

describe('a peer of an older protocol', () => {
  it('1.1.0 gets no questions and no answers, but blocks with their prefixes', async () => {
    const { link, stream } = bench({ protocol: '/ipfs/bitswap/1.1.0' })
    link.wants.want(cid(1), 'block')
    link.wants.want(cid(2), 'have')
    link.tellWants()
    link.tellPresence(cid(3), true)
    await link.sendBlock(cid(4), block(3).read)
    assert.deepEqual(heard(stream(0)), ['full, want-block 1'])
    assert.equal(stream(1).wire, '0f0a001a0b0a04015512201203000000')
  })

  it('1.0.0 gets bare blocks', async () => {
    const { link, stream } = bench({ protocol: '/ipfs/bitswap/1.0.0' })
    await link.sendBlock(cid(4), block(3).read)
    assert.equal(stream(0).wire, '051203000000')
  })
})

describe('a peer that asks and never reads', () => {
  it('has a bounded number of answers waiting for it', async () => {
    const { link, opening, stream } = bench()
    opening.narrow = true
    link.tellPresence(cid(1), true)
    await settled()
    for (let answers = 0; answers < 20_000; answers++) link.tellPresence(cid(answers), true)
    opening.narrow = false
    stream(0).narrow = false
    stream(0).drain()
    await settled()
    for (let rounds = 0; rounds < 20; rounds++) await settled()
    const answers = heard(stream(0)).reduce((sum, message) => sum + message.split(', ').length, 0)
    assert.equal(answers, 1 + 16_384)
  })

  it('has a bounded number of blocks waiting for it', async () => {
    const { link, opening } = bench()
    opening.narrow = true
    const sends = [...Array(10_000)].map(() => link.sendBlock(cid(1), block(200 * KIB).read))
    let refused = 0
    for (const send of sends) void send.then((bytes) => (refused += bytes === undefined ? 1 : 0))
    await settled()
    assert.ok(refused > 1_000 && refused < 9_000, String(refused))
    link.close()
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encodeExtension } from '../../src/exchange/peer-wire/extensions.ts'
import { encodeMessage, type KnownMessage } from '../../src/exchange/peer-wire/messages.ts'
import { joined } from './peer-wire-bytes.ts'
import { block, deliver, type End, settle, tradingPair } from './peer-wire-pair.ts'

const KIB = 1 << 10
const SIZES = [100, 200 * KIB, 300 * KIB, 50]
const TERMS = { rate: 1000, start: 5 }

const raw = (message: KnownMessage): Uint8Array => joined(encodeMessage(message))
const whole = (index: number) => ({ index, begin: 0, length: SIZES[index] ?? 0 })
const types = (end: End): string[] => end.took().map((event) => event.type)

/** A pair in which the leecher is interested and unchoked. */
function unchoked(requests?: number): { seeder: End; leecher: End } {
  const pair = tradingPair(SIZES, requests)
  pair.leecher.receiving.setInterested(true)
  pair.seeder.sending.unchoke()
  settle(pair.seeder, pair.leecher)
  pair.seeder.took()
  pair.leecher.took()
  return pair
}

/** What is to be written, one entry a write: `control`, or the data in it. */
function writes(end: End): string[] {
  const out: string[] = []
  for (;;) {
    const outgoing = end.connection.next()
    if (outgoing === undefined) return out
    const { data } = outgoing
    out.push(
      data === undefined ? 'control' : `${data.index}:${data.begin}+${data.length}${data.last ? '.' : ''}`,
    )
  }
}

/** The data events of an end, put together by piece. */
function received(end: End): Record<number, number> {
  const bytes: Record<number, number> = {}
  for (const event of end.took())
    if (event.type === 'data') bytes[event.index] = (bytes[event.index] ?? 0) + event.data.length
  return bytes
}

describe('interest and choke', () => {
  it('begin choked and not interested, and are told when they change', () => {
    const { seeder, leecher } = tradingPair(SIZES)
    assert.deepEqual([seeder.sending.choking, seeder.sending.interested], [true, false])
    assert.deepEqual([leecher.receiving.choked, leecher.receiving.interested], [true, false])
    leecher.receiving.setInterested(true)
    leecher.receiving.setInterested(true)
    seeder.sending.unchoke()
    seeder.sending.unchoke()
    settle(seeder, leecher)
    assert.deepEqual([types(seeder), types(leecher)], [['interested'], ['unchoked']])
    leecher.receiving.setInterested(false)
    seeder.sending.choke()
    settle(seeder, leecher)
    assert.deepEqual([types(seeder), types(leecher)], [['not-interested'], ['choked']])
    assert.deepEqual([seeder.sending.interested, leecher.receiving.choked], [false, true])
  })

  it('tell nothing when a peer repeats itself', () => {
    const { seeder, leecher } = tradingPair(SIZES)
    for (let time = 0; time < 2; time++) {
      seeder.receive(raw({ type: 'interested' }))
      leecher.receive(raw({ type: 'unchoke' }))
      leecher.receive(raw({ type: 'have', index: 2 }))
    }
    assert.deepEqual(types(seeder), ['interested'])
    // it had the piece from the start
    assert.deepEqual(types(leecher), ['unchoked'])
  })
})

describe('a request', () => {
  it('is answered in messages of 64 KiB, the last one shorter', () => {
    const { seeder, leecher } = unchoked()
    assert.ok(leecher.receiving.request(whole(1)))
    deliver(leecher, seeder)
    assert.deepEqual(seeder.took(), [{ type: 'requested', ...whole(1), offered: false }])
    assert.ok(seeder.sending.answer(1, 0, block(1, 200 * KIB)))
    assert.deepEqual(writes(seeder), ['1:0+65536', '1:65536+65536', '1:131072+65536', '1:196608+8192.'])
    assert.equal(seeder.sending.answer(1, 0, block(1, 200 * KIB)), false)
  })

  it('brings the bytes that were asked for', () => {
    const { seeder, leecher } = unchoked()
    const parts: Uint8Array[] = []
    leecher.onEvent = (event) => {
      if (event.type === 'data') parts.push(event.data.slice())
    }
    leecher.receiving.request({ index: 2, begin: 1000, length: 100_000 })
    deliver(leecher, seeder)
    seeder.sending.answer(2, 1000, block(2, 300 * KIB).subarray(1000, 101_000))
    settle(seeder, leecher)
    assert.deepEqual(joined(parts), block(2, 300 * KIB).slice(1000, 101_000))
    assert.equal(leecher.receiving.open, 0)
  })

  it('lets messages through between its data', () => {
    const { seeder, leecher } = unchoked()
    leecher.receiving.request(whole(1))
    deliver(leecher, seeder)
    seeder.sending.answer(1, 0, block(1, 200 * KIB))
    assert.equal(seeder.connection.next()?.data?.begin, 0)
    seeder.sending.have(3)
    assert.deepEqual(writes(seeder), ['control', '1:65536+65536', '1:131072+65536', '1:196608+8192.'])
  })

  it('waits its turn behind those that were answered before', () => {
    const { seeder, leecher } = unchoked()
    for (const index of [1, 0, 3]) leecher.receiving.request(whole(index))
    deliver(leecher, seeder)
    for (const index of [3, 1, 0]) seeder.sending.answer(index, 0, block(index, SIZES[index] ?? 0))
    assert.deepEqual(
      writes(seeder).map((write) => write.split('+')[0]),
      ['3:0', '1:0', '1:65536', '1:131072', '1:196608', '0:0'],
    )
  })

  it('cannot be made while choked, nor twice, nor beyond what the peer takes', () => {
    const { seeder, leecher } = tradingPair(SIZES, 2)
    assert.equal(leecher.receiving.request(whole(0)), false)
    seeder.sending.unchoke()
    settle(seeder, leecher)
    assert.ok(leecher.receiving.request({ index: 1, begin: 0, length: 1000 }))
    assert.equal(leecher.receiving.request({ index: 1, begin: 999, length: 1000 }), false)
    assert.ok(leecher.receiving.request({ index: 1, begin: 1000, length: 1000 }))
    assert.equal(leecher.receiving.request(whole(0)), false)
    assert.throws(() => leecher.receiving.request({ index: 4, begin: 0, length: 1 }), RangeError)
  })

  it('may be made of what an event told', () => {
    const { seeder, leecher } = unchoked()
    leecher.receiving.request(whole(1))
    deliver(leecher, seeder)
    seeder.sending.reject(1, 0)
    leecher.onEvent = (event) => {
      if (event.type === 'rejected') leecher.receiving.request(event)
    }
    settle(seeder, leecher)
    assert.deepEqual(types(seeder), ['requested', 'requested'])
  })

  it('is rejected by choice', () => {
    const { seeder, leecher } = unchoked()
    leecher.receiving.request(whole(1))
    deliver(leecher, seeder)
    assert.ok(seeder.sending.reject(1, 0))
    assert.equal(seeder.sending.reject(1, 0), false)
    deliver(seeder, leecher)
    assert.deepEqual(leecher.took(), [{ type: 'rejected', ...whole(1) }])
    assert.ok(leecher.receiving.request(whole(1)))
  })

  it('is rejected from where its data ended', () => {
    const { seeder, leecher } = unchoked()
    leecher.receiving.request(whole(1))
    deliver(leecher, seeder)
    seeder.sending.answer(1, 0, block(1, 200 * KIB))
    leecher.receive(joined(seeder.connection.next()?.parts ?? []))
    seeder.sending.reject(1, 0)
    deliver(seeder, leecher)
    assert.deepEqual(leecher.took().at(-1), {
      type: 'rejected',
      index: 1,
      begin: 64 * KIB,
      length: 136 * KIB,
    })
    assert.equal(leecher.receiving.open, 0)
  })

  it('may lose its end without having been cancelled, which can be asked for again', () => {
    const { leecher } = unchoked()
    leecher.receiving.request(whole(1))
    leecher.receive(raw({ type: 'reject', index: 1, begin: 100 * KIB, length: 100 * KIB }))
    assert.deepEqual(leecher.took(), [{ type: 'rejected', index: 1, begin: 100 * KIB, length: 100 * KIB }])
    assert.equal(leecher.receiving.request({ index: 1, begin: 100 * KIB - 1, length: 2 }), false)
    assert.ok(leecher.receiving.request({ index: 1, begin: 100 * KIB, length: 100 * KIB }))
  })

  it('cannot be answered with too little', () => {
    const { seeder, leecher } = unchoked()
    leecher.receiving.request(whole(1))
    deliver(leecher, seeder)
    assert.throws(() => seeder.sending.answer(1, 0, block(1, 200 * KIB - 1)), RangeError)
  })
})

describe('a choke', () => {
  it('rejects what waits, and lets what is being answered come to its end', () => {
    const { seeder, leecher } = unchoked()
    for (const index of [0, 1]) leecher.receiving.request(whole(index))
    deliver(leecher, seeder)
    seeder.sending.answer(0, 0, block(0, 100))
    assert.deepEqual(seeder.sending.choke(), [whole(1)])
    settle(seeder, leecher)
    assert.deepEqual(types(leecher), ['choked', 'rejected', 'data'])
  })

  it('rejects requests that crossed it, without a word to us', () => {
    const { seeder, leecher } = unchoked()
    seeder.took()
    leecher.receiving.request(whole(0))
    seeder.sending.choke()
    settle(seeder, leecher)
    assert.deepEqual(seeder.took(), [])
    assert.deepEqual(types(leecher), ['choked', 'rejected'])
  })

  it('spares offers that were accepted', () => {
    const { seeder, leecher } = unchoked()
    seeder.sending.offer(1, TERMS)
    deliver(seeder, leecher)
    leecher.receiving.request(whole(1))
    deliver(leecher, seeder)
    assert.deepEqual(seeder.sending.choke(), [])
    assert.ok(seeder.sending.answer(1, 0, block(1, 200 * KIB)))
  })

  it('spares pieces that were allowed', () => {
    const { seeder, leecher } = tradingPair(SIZES)
    seeder.sending.allow(3)
    settle(seeder, leecher)
    assert.deepEqual(leecher.took(), [{ type: 'allowed', index: 3 }])
    assert.equal(leecher.receiving.request(whole(0)), false)
    assert.ok(leecher.receiving.request(whole(3)))
    deliver(leecher, seeder)
    assert.deepEqual(types(seeder), ['requested'])
  })
})

describe('a cancel', () => {
  it('of a whole request ends it with a reject that is not told', () => {
    const { seeder, leecher } = unchoked()
    leecher.receiving.request(whole(1))
    deliver(leecher, seeder)
    assert.ok(leecher.receiving.cancel(whole(1)))
    assert.equal(leecher.receiving.cancel(whole(1)), false)
    settle(leecher, seeder)
    assert.deepEqual(seeder.took().at(-1), { type: 'shortened', index: 1, begin: 0, length: 0, ended: true })
    assert.deepEqual([leecher.took(), leecher.receiving.open], [[], 0])
  })

  it('of its end leaves the beginning', () => {
    const { seeder, leecher } = unchoked()
    leecher.receiving.request(whole(1))
    deliver(leecher, seeder)
    leecher.receiving.cancel({ index: 1, begin: 150 * KIB, length: 50 * KIB })
    leecher.receiving.cancel({ index: 1, begin: 100 * KIB, length: 50 * KIB })
    deliver(leecher, seeder)
    assert.deepEqual(seeder.took().at(-1), {
      type: 'shortened',
      index: 1,
      begin: 0,
      length: 100 * KIB,
      ended: false,
    })
    seeder.sending.answer(1, 0, block(1, 200 * KIB))
    settle(seeder, leecher)
    assert.deepEqual(received(leecher), { 1: 100 * KIB })
    assert.equal(leecher.receiving.open, 0)
  })

  it('takes back only what has not left', () => {
    const { seeder, leecher } = unchoked()
    leecher.receiving.request(whole(1))
    deliver(leecher, seeder)
    seeder.sending.answer(1, 0, block(1, 200 * KIB))
    const crossing = joined(seeder.connection.next()?.parts ?? [])
    leecher.receiving.cancel({ index: 1, begin: 10, length: 200 * KIB - 10 })
    deliver(leecher, seeder)
    assert.deepEqual(seeder.took().at(-1), {
      type: 'shortened',
      index: 1,
      begin: 0,
      length: 64 * KIB,
      ended: true,
    })
    leecher.receive(crossing)
    settle(seeder, leecher)
    assert.deepEqual(received(leecher), { 1: 64 * KIB })
    assert.equal(leecher.receiving.open, 0)
  })

  it('that comes too late changes nothing', () => {
    const { seeder, leecher } = unchoked()
    leecher.receiving.request(whole(0))
    deliver(leecher, seeder)
    seeder.sending.answer(0, 0, block(0, 100))
    seeder.connection.next()
    seeder.took()
    leecher.receiving.cancel(whole(0))
    deliver(leecher, seeder)
    assert.deepEqual(seeder.took(), [])
  })

  it('frees its bytes to be asked for again at once', () => {
    const { seeder, leecher } = unchoked()
    leecher.receiving.request(whole(0))
    leecher.receiving.cancel(whole(0))
    assert.ok(leecher.receiving.request(whole(0)))
    deliver(leecher, seeder)
    assert.deepEqual(types(seeder), ['requested', 'shortened', 'requested'])
    seeder.sending.answer(0, 0, block(0, 100))
    settle(seeder, leecher)
    assert.deepEqual(received(leecher), { 0: 100 })
  })
})

describe('an offer', () => {
  it('is accepted by a request, also while choked', () => {
    const { seeder, leecher } = tradingPair(SIZES)
    assert.ok(seeder.sending.offer(1, TERMS))
    assert.equal(seeder.sending.offer(1, TERMS), false)
    deliver(seeder, leecher)
    assert.deepEqual(leecher.took(), [{ type: 'offered', index: 1, eager: false, ...TERMS }])
    assert.ok(leecher.receiving.request(whole(1)))
    deliver(leecher, seeder)
    assert.deepEqual(seeder.took(), [{ type: 'requested', ...whole(1), offered: true }])
    assert.equal(seeder.sending.offer(1, TERMS), false)
    seeder.sending.answer(1, 0, block(1, 200 * KIB))
    settle(seeder, leecher)
    assert.deepEqual(received(leecher), { 1: 200 * KIB })
    assert.ok(seeder.sending.offer(1, TERMS))
  })

  it('is declined, or put off', () => {
    const { seeder, leecher } = tradingPair(SIZES)
    seeder.sending.offer(1, TERMS)
    seeder.sending.offer(2, TERMS)
    deliver(seeder, leecher)
    assert.ok(leecher.receiving.decline(1))
    assert.ok(leecher.receiving.busy(250, 2))
    assert.equal(leecher.receiving.decline(1), false)
    deliver(leecher, seeder)
    assert.deepEqual(seeder.took(), [
      { type: 'declined', index: 1 },
      { type: 'busy', index: 2, milliseconds: 250 },
    ])
    assert.equal(leecher.receiving.request(whole(1)), false)
    assert.ok(seeder.sending.offer(1, TERMS) && seeder.sending.offer(2, TERMS))
  })

  it('of nothing asks for a part of something', () => {
    const { seeder, leecher } = tradingPair(SIZES)
    assert.ok(seeder.sending.offerUplink(TERMS))
    deliver(seeder, leecher)
    assert.deepEqual(leecher.took(), [{ type: 'idle', ...TERMS }])
    assert.ok(leecher.receiving.request({ index: 2, begin: 200 * KIB, length: 100 * KIB }))
    assert.equal(leecher.receiving.request(whole(0)), false)
    deliver(leecher, seeder)
    assert.deepEqual(types(seeder), ['requested'])

    seeder.sending.offerUplink(TERMS)
    deliver(seeder, leecher)
    assert.ok(leecher.receiving.decline())
    assert.equal(leecher.receiving.decline(), false)
    deliver(leecher, seeder)
    assert.deepEqual(seeder.took(), [{ type: 'declined', index: undefined }])
  })

  it('that crosses a request for the piece is answered by it', () => {
    const { seeder, leecher } = unchoked()
    leecher.receiving.request({ index: 1, begin: 0, length: 1000 })
    seeder.sending.offer(1, TERMS)
    deliver(seeder, leecher)
    assert.deepEqual(leecher.took(), [])
    assert.equal(leecher.receiving.decline(1), false)
    deliver(leecher, seeder)
    assert.deepEqual(seeder.took(), [{ type: 'requested', index: 1, begin: 0, length: 1000, offered: true }])
  })

  it('cannot be made to a peer that knows none, or of a piece that it has asked for', () => {
    const { seeder, leecher } = unchoked()
    leecher.receiving.request(whole(1))
    deliver(leecher, seeder)
    assert.equal(seeder.sending.offer(1, TERMS), false)
    const taken = Buffer.from('d1:md11:share_offeri0eee')
    seeder.receive(raw({ type: 'extended', id: 0, payload: taken }))
    assert.equal(seeder.sending.offer(2, TERMS), false)
    assert.equal(seeder.sending.offerUplink(TERMS), false)
  })
})

describe('an eager offer', () => {
  const BLOCK = block(1, 200 * KIB)

  it('brings the piece with it, and is accepted on the way', () => {
    const { seeder, leecher } = tradingPair(SIZES)
    leecher.onEvent = (event) => {
      if (event.type === 'offered') assert.ok(leecher.receiving.request(whole(event.index)))
    }
    assert.ok(seeder.sending.offerEagerly(1, TERMS, BLOCK))
    settle(seeder, leecher)
    assert.deepEqual(types(leecher), ['offered', 'data', 'data', 'data', 'data'])
    assert.deepEqual(seeder.took()[0], { type: 'accepted', index: 1 })
    assert.deepEqual([leecher.receiving.open, seeder.sending.unconfirmed], [0, 0])
    assert.ok(seeder.sending.offerEagerly(1, TERMS, BLOCK))
  })

  for (const [answer, event] of [
    ['decline', { type: 'declined', index: 1 }],
    ['busy', { type: 'busy', index: 1, milliseconds: 9 }],
    ['nothing', { type: 'declined', index: 1 }],
  ] as const) {
    it(`stops after ${answer}, and what crossed is not wanted`, () => {
      const { seeder, leecher } = tradingPair(SIZES)
      leecher.onEvent = ({ type }) => {
        if (type === 'offered' && answer === 'decline') leecher.receiving.decline(1)
        if (type === 'offered' && answer === 'busy') leecher.receiving.busy(9, 1)
      }
      seeder.sending.offerEagerly(1, TERMS, BLOCK)
      leecher.receive(joined(seeder.connection.next()?.parts ?? []))
      leecher.receive(joined(seeder.connection.next()?.parts ?? []))
      assert.deepEqual(leecher.took().slice(1), [{ type: 'unwanted', index: 1, bytes: 64 * KIB }])
      deliver(leecher, seeder)
      assert.deepEqual(seeder.took(), [event])
      assert.deepEqual(writes(seeder), ['control'])
    })
  }

  it('is closed on both sides after a decline', () => {
    const { seeder, leecher } = tradingPair(SIZES)
    seeder.sending.offerEagerly(1, TERMS, BLOCK)
    leecher.receive(joined(seeder.connection.next()?.parts ?? []))
    assert.equal(leecher.receiving.open, 1)
    settle(leecher, seeder)
    assert.equal(leecher.receiving.open, 0)
    seeder.sending.unchoke()
    settle(seeder, leecher)
    assert.ok(leecher.receiving.request(whole(1)))
  })

  it('that crosses a request for the whole piece is one with it', () => {
    const { seeder, leecher } = unchoked()
    leecher.receiving.request(whole(1))
    seeder.sending.offerEagerly(1, TERMS, BLOCK)
    settle(seeder, leecher)
    assert.deepEqual(types(leecher), ['data', 'data', 'data', 'data'])
    assert.deepEqual(types(seeder)[0], 'accepted')
    assert.equal(leecher.receiving.open, 0)
  })

  it('that crosses a request for part of the piece stands beside it', () => {
    const { seeder, leecher } = unchoked()
    leecher.receiving.request({ index: 1, begin: 100, length: 50 })
    seeder.sending.offerEagerly(1, TERMS, BLOCK)
    deliver(leecher, seeder)
    settle(seeder, leecher)
    seeder.sending.answer(1, 100, BLOCK.subarray(100, 150))
    settle(seeder, leecher)
    assert.deepEqual(received(leecher), { 1: 50 })
    assert.equal(leecher.receiving.open, 0)
  })

  it('counts among the requests that are taken at once, from when it is accepted', () => {
    const { seeder, leecher } = unchoked(1)
    seeder.sending.offerEagerly(1, TERMS, BLOCK)
    assert.ok(leecher.receiving.request(whole(0)))
    deliver(leecher, seeder)
    leecher.onEvent = ({ type }) => {
      if (type === 'offered') assert.equal(leecher.receiving.request(whole(1)), false)
    }
    deliver(seeder, leecher)
    assert.deepEqual(types(leecher)[0], 'offered')

    const other = unchoked(1).seeder
    other.sending.offerEagerly(1, TERMS, BLOCK)
    other.receive(raw({ type: 'request', ...whole(1) }))
    assert.throws(() => other.receive(raw({ type: 'request', ...whole(0) })), { code: 'too-many-requests' })
  })

  it('can be taken back', () => {
    const { seeder, leecher } = tradingPair(SIZES)
    leecher.onEvent = (event) => {
      if (event.type === 'offered') leecher.receiving.request(whole(event.index))
    }
    seeder.sending.offerEagerly(1, TERMS, BLOCK)
    seeder.sending.reject(1, 0)
    settle(seeder, leecher)
    assert.deepEqual(types(leecher), ['offered', 'rejected'])
    assert.deepEqual([types(seeder), leecher.receiving.open], [['accepted'], 0])
  })
})

describe('acknowledgements', () => {
  it('come every 128 KiB and at the end of a request', () => {
    const { seeder, leecher } = unchoked()
    for (const index of [2, 0]) leecher.receiving.request(whole(index))
    deliver(leecher, seeder)
    for (const index of [2, 0]) seeder.sending.answer(index, 0, block(index, SIZES[index] ?? 0))
    seeder.took()
    deliver(seeder, leecher)
    assert.equal(seeder.sending.unconfirmed, 300 * KIB + 100)
    deliver(leecher, seeder)
    assert.deepEqual(seeder.took(), [
      { type: 'confirmed', bytes: 128 * KIB },
      { type: 'confirmed', bytes: 128 * KIB },
      { type: 'confirmed', bytes: 44 * KIB },
      { type: 'confirmed', bytes: 100 },
    ])
    assert.equal(seeder.sending.unconfirmed, 0)
  })
})

describe('what a peer expects', () => {
  it('is told, and taken back', () => {
    const { seeder, leecher } = tradingPair(SIZES)
    assert.ok(leecher.receiving.expect(2))
    assert.ok(leecher.receiving.expect(2, true))
    deliver(leecher, seeder)
    assert.deepEqual(seeder.took(), [
      { type: 'expects', index: 2 },
      { type: 'expects-no-more', index: 2 },
    ])
  })
})

describe('violations in the trade', () => {
  const request = (index: number, begin: number, length: number) =>
    raw({ type: 'request', index, begin, length })

  // piece 0 has 100 bytes, piece 3 is the last
  const BOUNDS: readonly [number, number, number, boolean][] = [
    [0, 0, 100, true],
    [0, 0, 1, true],
    [0, 99, 1, true],
    [0, 0, 101, false],
    [0, 99, 2, false],
    [0, 100, 0, false],
    [0, 0, 0, false],
    [0, 100, 1, false],
    [0, 0xffff_ffff, 1, false],
    [0, 1, 0xffff_ffff, false],
    [0, 0xffff_ffff, 0xffff_ffff, false],
    [3, 0, 50, true],
    [4, 0, 1, false],
    [0xffff_ffff, 0, 1, false],
  ]
  for (const [index, begin, length, right] of BOUNDS) {
    it(`request ${length} bytes from ${begin} of piece ${index}: ${right ? 'taken' : 'refused'}`, () => {
      const { seeder } = unchoked()
      const taken = () => seeder.receive(request(index, begin, length))
      if (right) assert.doesNotThrow(taken)
      else assert.throws(taken, { name: 'WireViolation', code: 'out-of-bounds', blame: 'peer' })
    })
  }

  const extended = (id: number, message: Parameters<typeof encodeExtension>[0]) =>
    raw({ type: 'extended', id, payload: encodeExtension(message) })
  for (const [what, sent] of [
    ['have', raw({ type: 'have', index: 4 })],
    ['suggest', raw({ type: 'suggest', index: 4 })],
    ['allowed-fast', raw({ type: 'allowed-fast', index: 4 })],
    ['share_offer', extended(1, { name: 'share_offer', index: 4, eager: false, ...TERMS })],
    ['eager share_offer', extended(1, { name: 'share_offer', index: 4, eager: true, ...TERMS })],
    ['share_expect', extended(4, { name: 'share_expect', index: 4, withdrawn: false })],
  ] as const) {
    it(`${what} of a piece that there is not`, () => {
      const { seeder } = unchoked()
      assert.throws(() => seeder.receive(sent), { code: 'out-of-bounds', blame: 'peer' })
    })
  }

  it('data that nobody asked for, is not next, is too long, or is none', () => {
    for (const [begin, length] of [
      [1, 10],
      [0, 51],
      [50, 1],
      [0, 0],
    ] as const) {
      const { leecher } = unchoked()
      leecher.receiving.request({ index: 0, begin: 0, length: 50 })
      const sent = raw({ type: 'piece', index: 0, begin, data: new Uint8Array(length) })
      assert.throws(() => leecher.receive(sent), { code: 'unrequested', blame: 'peer' }, `${begin}+${length}`)
    }
    const { leecher } = unchoked()
    const sent = raw({ type: 'piece', index: 9, begin: 0, data: new Uint8Array(1) })
    assert.throws(() => leecher.receive(sent), { code: 'unrequested' })
  })

  it('data that comes twice', () => {
    const { leecher } = unchoked()
    leecher.receiving.request(whole(0))
    const sent = raw({ type: 'piece', index: 0, begin: 0, data: block(0, 100) })
    leecher.receive(sent)
    assert.throws(() => leecher.receive(sent), { code: 'unrequested' })
  })

  it('a reject of what nobody asked for, or of a middle', () => {
    for (const [begin, length] of [
      [0, 40],
      [10, 41],
      [50, 0],
    ] as const) {
      const { leecher } = unchoked()
      leecher.receiving.request({ index: 0, begin: 0, length: 50 })
      const sent = raw({ type: 'reject', index: 0, begin, length })
      assert.throws(() => leecher.receive(sent), { code: 'unrequested', blame: 'peer' }, `${begin}+${length}`)
    }
  })

  it('a request for bytes that are asked for', () => {
    const { seeder } = unchoked()
    seeder.receive(request(0, 0, 50))
    seeder.receive(request(0, 50, 50))
    assert.throws(() => seeder.receive(request(0, 49, 2)), { code: 'overlapping', blame: 'peer' })
  })

  it('more requests than we take', () => {
    const { seeder } = unchoked(2)
    seeder.receive(request(0, 0, 1))
    seeder.receive(request(0, 1, 1))
    assert.throws(() => seeder.receive(request(0, 2, 1)), { code: 'too-many-requests', blame: 'peer' })
  })

  it('more requests than can have crossed a choke', () => {
    const { seeder } = tradingPair(SIZES, 2)
    for (let time = 0; time < 4; time++) seeder.receive(request(0, 0, 1))
    assert.throws(() => seeder.receive(request(0, 0, 1)), { code: 'too-many-requests', blame: 'peer' })
  })

  it('an acknowledgement of more than was sent', () => {
    const { seeder, leecher } = unchoked()
    leecher.receiving.request(whole(0))
    deliver(leecher, seeder)
    seeder.sending.answer(0, 0, block(0, 100))
    seeder.connection.next()
    seeder.receive(extended(5, { name: 'share_ack', bytes: 60 }))
    const sent = extended(5, { name: 'share_ack', bytes: 41 })
    assert.throws(() => seeder.receive(sent), { code: 'false-ack', blame: 'peer' })
  })

  it('a peer that makes us talk and does not listen, which blames nobody', () => {
    const { seeder } = unchoked()
    const cancel = raw({ type: 'cancel', index: 0, begin: 0, length: 1 })
    const chatter = joined(
      Array(1000)
        .fill([request(0, 0, 1), cancel])
        .flat(),
    )
    // each pair is answered by a reject of 17 bytes
    const talk = () => {
      for (let time = 0; time < 300; time++) seeder.receive(chatter)
    }
    assert.throws(talk, { code: 'backlog', blame: 'nobody' })
    assert.ok(seeder.connection.backlog < 5 << 20)
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Bitfield } from '../../src/core/bitfield.ts'
import { createPrng, type Prng } from '../../src/core/prng.ts'
import type { WireEvent } from '../../src/exchange/peer-wire/events.ts'
import type { Span } from '../../src/exchange/peer-wire/messages.ts'
import { joined } from '../unit/peer-wire-bytes.ts'
import { block, End, ROOT } from '../unit/peer-wire-pair.ts'
import fc from './seeded.ts'

const TERMS = { rate: 1, start: 0 }
const LIMIT = 5

/** A stream in one direction: written a message at a time, read in chunks of any size. */
class Pipe {
  #bytes: Uint8Array = new Uint8Array(0)
  readonly #from: End
  readonly #to: End

  constructor(from: End, to: End) {
    this.#from = from
    this.#to = to
  }

  write(): boolean {
    const outgoing = this.#from.connection.next()
    if (outgoing !== undefined) this.#bytes = joined([this.#bytes, ...outgoing.parts])
    return outgoing !== undefined
  }

  read(length: number): boolean {
    const chunk = this.#bytes.subarray(0, length)
    this.#bytes = this.#bytes.subarray(length)
    this.#to.receive(chunk)
    return chunk.length > 0
  }

  /** Everything that waits, to the other end. */
  flush(): boolean {
    const wrote = this.write()
    return this.read(Number.POSITIVE_INFINITY) || wrote
  }
}

/** An end whose driver does what chance says, and which keeps its own account of what it asked for. */
class Player {
  readonly end = new End(LIMIT)
  readonly blocks: readonly Uint8Array[]
  readonly #chance: Prng
  /** Offers that came and are not answered. */
  #offers: number[] = []
  /** Requests that came and are not answered. */
  #requests: Span[] = []
  /** Bytes of each piece that were asked for, that came, that will not come, and that were cancelled. */
  readonly asked: number[]
  readonly came: number[]
  readonly lost: number[]
  readonly cancelled: number[]

  constructor(sizes: readonly number[], chance: Prng) {
    this.#chance = chance
    this.blocks = sizes.map((size, index) => block(index, size))
    const zeros = () => sizes.map(() => 0)
    ;[this.asked, this.came, this.lost, this.cancelled] = [zeros(), zeros(), zeros(), zeros()]
    this.end.connection.introduce(ROOT, { sizes, have: Bitfield.full(sizes.length) })
    this.end.onEvent = (event) => this.#on(event)
  }

  #pick<T>(items: readonly T[]): T | undefined {
    return items[this.#chance.below(Math.max(1, items.length))]
  }

  #on(event: WireEvent): void {
    switch (event.type) {
      case 'data': {
        const { index, begin, data } = event
        const right = this.blocks[index]?.subarray(begin, begin + data.length) ?? new Uint8Array(0)
        assert.equal(Buffer.compare(data, right), 0, `wrong bytes of piece ${index}`)
        this.#add(this.came, index, data.length)
        break
      }
      case 'rejected':
        this.#add(this.lost, event.index, event.length)
        break
      case 'offered':
        if (event.eager && this.#chance.below(3) > 0) this.#answerOffer(event.index)
        else if (!event.eager) this.#offers.push(event.index)
        break
      case 'requested':
        this.#requests.push(event)
        break
      case 'shortened':
        if (event.length === 0) this.#requests = this.#requests.filter((request) => !same(request, event))
        break
    }
  }

  #add(account: number[], index: number, bytes: number): void {
    account[index] = (account[index] ?? 0) + bytes
  }

  #request(span: Span): boolean {
    const sent = this.end.receiving.request(span)
    if (sent) this.#add(this.asked, span.index, span.length)
    return sent
  }

  #answerOffer(index: number): void {
    const length = this.blocks[index]?.length ?? 0
    const turn = this.#chance.below(4)
    if (turn === 0) this.end.receiving.busy(1, index)
    else if (turn === 1 || !this.#request({ index, begin: 0, length })) this.end.receiving.decline(index)
  }

  /** One command, or none where it does not fit. */
  act(): void {
    const { receiving, sending } = this.end
    const index = this.#chance.below(this.blocks.length)
    const piece = this.blocks[index] ?? new Uint8Array(0)
    const begin = this.#chance.below(piece.length)
    switch (this.#chance.below(14)) {
      case 0:
        sending.unchoke()
        break
      case 1:
        for (const ended of sending.choke())
          this.#requests = this.#requests.filter((open) => !same(open, ended))
        break
      case 2:
        this.#request({ index, begin: 0, length: piece.length })
        break
      case 3:
        this.#request({ index, begin, length: piece.length - begin })
        break
      case 4:
        this.#request({ index, begin, length: 1 + this.#chance.below(piece.length - begin) })
        break
      case 5:
      case 6:
        if (receiving.cancel({ index, begin, length: piece.length - begin }))
          this.#add(this.cancelled, index, piece.length - begin)
        break
      case 7:
        sending.offer(index, TERMS)
        break
      case 8:
      case 9:
        sending.offerEagerly(index, TERMS, piece)
        break
      case 10:
        sending.offerUplink(TERMS)
        break
      case 11: {
        const offered = this.#pick(this.#offers)
        this.#offers = this.#offers.filter((other) => other !== offered)
        if (offered !== undefined) this.#answerOffer(offered)
        break
      }
      case 12:
        receiving.decline()
        break
      case 13: {
        const request = this.#pick(this.#requests)
        if (request !== undefined) this.answer(request)
      }
    }
  }

  answer(request: Span): void {
    const { index, begin } = request
    this.#requests = this.#requests.filter((other) => !same(other, request))
    const rejects = this.#chance.below(4) === 0
    const bytes = this.blocks[index]?.subarray(begin) ?? new Uint8Array(0)
    const known = rejects
      ? this.end.sending.reject(index, begin)
      : this.end.sending.answer(index, begin, bytes)
    assert.ok(known, `a request for ${index} at ${begin} that the connection forgot`)
  }

  /** What was asked for has come, or will not come, or was cancelled, which may have been too late. */
  assertSettled(): void {
    assert.deepEqual([this.end.receiving.open, this.end.sending.unconfirmed], [0, 0])
    for (const [index, asked] of this.asked.entries()) {
      const answered = (this.came[index] ?? 0) + (this.lost[index] ?? 0)
      assert.ok(answered <= asked, `piece ${index}: more than was asked for`)
      assert.ok(answered + (this.cancelled[index] ?? 0) >= asked, `piece ${index}: less than was asked for`)
    }
  }

  /** Answers all that waits; true when there was something. */
  finish(): boolean {
    const requests = this.#requests
    for (const request of requests) this.answer(request)
    return requests.length > 0
  }
}

function same(one: Span, other: Span): boolean {
  return one.index === other.index && one.begin === other.begin
}

/** A download from several seeders at once, which hands ends of pieces from one to another. */
class Download {
  readonly ends: readonly End[]
  readonly #sizes: readonly number[]
  readonly #blocks: readonly Uint8Array[]
  /** One entry a byte: 1 when it is there. */
  readonly #there: readonly Uint8Array[]
  readonly #chance: Prng

  constructor(sizes: readonly number[], seeders: number, chance: Prng) {
    this.#sizes = sizes
    this.#blocks = sizes.map((size) => new Uint8Array(size))
    this.#there = sizes.map((size) => new Uint8Array(size))
    this.#chance = chance
    this.ends = Array.from({ length: seeders }, () => new End(LIMIT))
    for (const end of this.ends) {
      end.connection.introduce(ROOT, { sizes, have: new Bitfield(sizes.length) })
      end.onEvent = (event) => this.#on(end, event)
    }
  }

  #on(end: End, event: WireEvent): void {
    if (event.type === 'data') {
      this.#blocks[event.index]?.set(event.data, event.begin)
      this.#there[event.index]?.fill(1, event.begin, event.begin + event.data.length)
    } else if (event.type === 'offered') {
      const wanted = this.#gap(event.index)?.begin === 0 && this.#chance.below(4) > 0
      const length = this.#sizes[event.index] ?? 0
      if (!wanted || !end.receiving.request({ index: event.index, begin: 0, length }))
        end.receiving.decline(event.index)
    } else if (event.type === 'idle') this.#handOver(end)
  }

  /** Lets an idle uploader send the second half of what another is sending. */
  #handOver(to: End): void {
    const index = this.#chance.below(this.#sizes.length)
    const size = this.#sizes[index] ?? 0
    const tail = { index, begin: size >> 1, length: size - (size >> 1) }
    const from = this.ends.find((end) => end !== to && end.receiving.cancel(tail))
    if (from === undefined || !to.receiving.request(tail)) to.receiving.decline()
  }

  /** The first bytes of a piece that are missing. */
  #gap(index: number): Span | undefined {
    const there = this.#there[index] ?? new Uint8Array(0)
    const begin = there.indexOf(0)
    if (begin < 0) return undefined
    const end = there.indexOf(1, begin)
    return { index, begin, length: (end < 0 ? there.length : end) - begin }
  }

  /** Asks somebody for something that is missing; false when nothing is. */
  pull(): boolean {
    const gaps = this.#sizes.flatMap((_, index) => this.#gap(index) ?? [])
    const gap = gaps[this.#chance.below(Math.max(1, gaps.length))]
    const end = this.ends[this.#chance.below(this.ends.length)]
    if (gap !== undefined) end?.receiving.request(gap)
    return gap !== undefined
  }

  assertComplete(): void {
    for (const [index, size] of this.#sizes.entries())
      assert.equal(
        Buffer.compare(this.#blocks[index] ?? new Uint8Array(0), block(index, size)),
        0,
        `piece ${index}`,
      )
  }
}

/** A seeder that answers by chance, late, or not. */
function seed(end: End, sizes: readonly number[], chance: Prng): { act(): void } {
  const requests: Span[] = []
  const blocks = sizes.map((size, index) => block(index, size))
  const bytesFrom = (index: number, begin: number) => blocks[index]?.subarray(begin) ?? new Uint8Array(0)
  end.connection.introduce(ROOT, { sizes, have: Bitfield.full(sizes.length) })
  end.onEvent = (event) => {
    if (event.type === 'listed') end.sending.unchoke()
    if (event.type === 'requested') requests.push(event)
  }
  const act = (): void => {
    const index = chance.below(sizes.length)
    const turn = chance.below(8)
    if (turn === 0) end.sending.offer(index, TERMS)
    else if (turn === 1) end.sending.offerEagerly(index, TERMS, bytesFrom(index, 0))
    else if (turn === 2) end.sending.offerUplink(TERMS)
    else {
      const { index, begin } = requests.shift() ?? { index: 0, begin: Number.NaN }
      if (turn === 3) end.sending.reject(index, begin)
      else end.sending.answer(index, begin, bytesFrom(index, begin))
    }
  }
  return { act }
}

describe('two connections', () => {
  it('answer every byte once, whatever is commanded and however the streams are cut', () => {
    const run = (seed: number, steps: number) => {
      const chance = createPrng(seed)
      const sizes = [1, 3, 100, 70_000]
      const [left, right] = [new Player(sizes, chance), new Player(sizes, chance)]
      const pipes = [new Pipe(left.end, right.end), new Pipe(right.end, left.end)]
      const flush = () => {
        while (pipes.map((pipe) => pipe.flush()).includes(true)) left.end.took()
      }
      flush()
      for (let step = 0; step < steps; step++) {
        const pipe = pipes[chance.below(2)]
        const turn = chance.below(4)
        if (turn === 0) pipe?.write()
        else if (turn === 1) pipe?.read(1 + chance.below(chance.below(2) === 0 ? 50 : 100_000))
        else (turn === 2 ? left : right).act()
      }
      do flush()
      while ([left.finish(), right.finish()].includes(true))
      for (const player of [left, right]) player.assertSettled()
    }
    fc.assert(fc.property(fc.integer(), fc.integer({ min: 1, max: 300 }), run), { numRuns: 100 })
  })
})

describe('a download', () => {
  it('completes from two seeders, whatever crosses and however the streams are cut', () => {
    const run = (number: number) => {
      const chance = createPrng(number)
      const sizes = [1, 500, 66_000]
      const download = new Download(sizes, 2, chance)
      const ends = [new End(LIMIT), new End(LIMIT)]
      const seeders = ends.map((end) => seed(end, sizes, chance))
      const pipes = ends.flatMap((end, at) => {
        const mine = download.ends[at] ?? assert.fail()
        return [new Pipe(end, mine), new Pipe(mine, end)]
      })
      for (let round = 0; round < 4; round++) for (const pipe of pipes) pipe.flush()
      let steps = 0
      while (download.pull()) {
        for (const seeder of seeders) seeder.act()
        const pipe = pipes[chance.below(pipes.length)]
        pipe?.write()
        pipe?.read(1 + chance.below(40_000))
        assert.ok(++steps < 10_000, 'it does not end')
      }
      download.assertComplete()
    }
    fc.assert(fc.property(fc.integer(), run), { numRuns: 30 })
  })
})

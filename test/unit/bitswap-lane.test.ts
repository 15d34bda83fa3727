import assert from 'node:assert/strict'
import { afterEach, describe, it, mock } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { millis } from '../../src/core/types.ts'
import { Lane, type Outbound } from '../../src/exchange/bitswap/lane.ts'
import { Outflow } from '../../src/exchange/outflow.ts'
import { Limits } from '../../src/swarm/limits.ts'
import { SendWindow } from '../../src/swarm/send-window.ts'
import { FakeStream } from './bitswap-fake-stream.ts'

/** Enough turns of the event loop for everything that waits for no timer. */
async function settled(): Promise<void> {
  for (let turns = 0; turns < 5; turns++) await turn()
}

/** A lane whose messages come from a queue; what happens is written down. */
function bench({ limits = new Limits() } = {}) {
  const streams: FakeStream[] = []
  const events: string[] = []
  const queue: string[] = []
  let now = 0
  const opening = { refuse: false }
  const lane = new Lane({
    outflow: new Outflow({ window: new SendWindow(), limits, now: () => millis(now) }),
    byTurns: true,
    async open(signal) {
      events.push('open')
      signal.throwIfAborted()
      if (opening.refuse) throw new Error('refused')
      const stream = new FakeStream()
      streams.push(stream)
      return stream.asStream
    },
    next(): Outbound | undefined {
      const message = queue.shift()
      if (message === undefined) return undefined
      events.push(`next ${message}`)
      return { parts: [Buffer.from(message)], root: undefined, sent: () => events.push(`sent ${message}`) }
    },
    broke: (error) => events.push(`broke: ${error.message}`),
  })
  return {
    lane,
    queue,
    opening,
    say(...messages: string[]): void {
      queue.push(...messages)
      lane.wake()
    },
    advance(by: number): void {
      now += by
      mock.timers.tick(by)
    },
    stream: (at = streams.length - 1): FakeStream => streams[at] ?? assert.fail('no stream'),
    told: (): string[] => events.splice(0),
  }
}

describe('a lane', () => {
  afterEach(() => mock.timers.reset())

  it('opens its stream when there is something to send, and keeps it', async () => {
    const { say, stream, told } = bench()
    await settled()
    assert.deepEqual(told(), [])
    say('a')
    await settled()
    say('bc')
    await settled()
    assert.deepEqual(told(), ['open', 'next a', 'sent a', 'next bc', 'sent bc'])
    assert.equal(stream().wire, Buffer.from('\x01a\x02bc').toString('hex'))
    assert.equal(stream().inactivityTimeout, 24 * 3_600_000)
  })

  it('asks for nothing more while the stream is full', async () => {
    const { say, stream, told } = bench()
    say('a')
    await settled()
    stream().narrow = true
    say('b', 'c')
    await settled()
    assert.deepEqual(told(), ['open', 'next a', 'sent a', 'next b'], 'b has filled the stream')
    stream().drain()
    await settled()
    assert.deepEqual(told(), ['sent b', 'next c'], 'c has filled it again')
  })

  it('opens another stream after one broke, when there is something to send', async () => {
    const { say, stream, told } = bench()
    say('a')
    await settled()
    told()
    stream().reset(new Error('reset'))
    await settled()
    assert.deepEqual(told(), ['broke: the stream was closed'])
    say('b')
    await settled()
    assert.deepEqual(told(), ['open', 'next b', 'sent b'])
  })

  it('tells that it broke while it was sending', async () => {
    const { say, stream, told } = bench()
    say('a')
    await settled()
    stream().narrow = true
    say('b')
    await settled()
    told()
    stream().reset(new Error('reset'))
    await settled()
    assert.deepEqual(told(), ['broke: reset'], 'b is not known to have left')
  })

  it('tells that it could not open, and tries again when woken', async () => {
    const { say, opening, told } = bench()
    opening.refuse = true
    say('a')
    await settled()
    opening.refuse = false
    say()
    await settled()
    assert.deepEqual(told(), ['open', 'broke: refused', 'open', 'next a', 'sent a'])
  })

  it('closes its stream when it is closed, and does nothing more', async () => {
    const { say, lane, stream, told } = bench()
    say('a')
    await settled()
    told()
    lane.close()
    await settled()
    assert.equal(stream().writeStatus, 'closed')
    assert.equal(stream().aborted, undefined)
    say('b')
    await settled()
    assert.deepEqual(told(), [])
  })

  it('does not wait for a full stream when it is closed', async () => {
    const { say, lane, stream, told } = bench()
    say('a')
    await settled()
    stream().narrow = true
    say('b')
    await settled()
    told()
    lane.close()
    await settled()
    assert.equal(stream().status, 'aborted')
    assert.deepEqual(told(), [])
  })

  it('under a limit sends slices of a tenth of a second, each when its time has come', async () => {
    mock.timers.enable({ apis: ['setTimeout'] })
    const limits = new Limits()
    limits.set('up', 320 << 10, millis(0))
    const { say, stream, advance } = bench({ limits })
    say('x'.repeat((80 << 10) - 3))
    await settled()
    const lengths = (): number[] => stream().sent.map((part) => part.byteLength)
    assert.deepEqual(lengths(), [32 << 10])
    advance(99)
    await settled()
    assert.equal(lengths().length, 1)
    advance(1)
    await settled()
    assert.deepEqual(lengths(), [32 << 10, 32 << 10])
    advance(100)
    await settled()
    assert.deepEqual(lengths(), [32 << 10, 32 << 10, 16 << 10])
  })

  it('waits for no limit when it is closed', async () => {
    mock.timers.enable({ apis: ['setTimeout'] })
    const limits = new Limits()
    limits.set('up', 1, millis(0))
    const { say, lane, stream, advance, told } = bench({ limits })
    say('x'.repeat(150 << 10))
    await settled()
    lane.close()
    await settled()
    assert.equal(stream().status, 'aborted')
    assert.deepEqual(told(), ['open', `next ${'x'.repeat(150 << 10)}`])
    advance(1)
  })
})

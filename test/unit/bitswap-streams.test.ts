import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { streamSink, streamSource } from '../../src/exchange/bitswap/streams.ts'
import { FakeStream } from './bitswap-fake-stream.ts'

const MIB = 1 << 20
const OPEN = { pass: () => undefined }

/** Reads the stream in the background; `lengths` grows by one for each chunk. */
function reading(stream: FakeStream, gate: { pass(): Promise<void> | undefined } = OPEN) {
  const lengths: number[] = []
  const done = (async () => {
    for await (const chunk of streamSource(stream.asStream, gate)) lengths.push(chunk.byteLength)
  })()
  return { lengths, done }
}

describe('reading a stream', () => {
  it('gives the chunks in order until the other side closes', async () => {
    const stream = new FakeStream()
    const { lengths, done } = reading(stream)
    for (const length of [1, 2, 3]) stream.receive(new Uint8Array(length))
    await turn()
    stream.receive(new Uint8Array(4))
    stream.receiveLast(new Uint8Array(5))
    await done
    assert.deepEqual(lengths, [1, 2, 3, 4, 5])
  })

  it('ends when the connection goes in peace', async () => {
    const stream = new FakeStream()
    const { lengths, done } = reading(stream)
    stream.receive(new Uint8Array(1))
    stream.finish()
    await stream.close()
    await done
    assert.deepEqual(lengths, [1])
  })

  it('gives what came before a reset, then fails', async () => {
    const stream = new FakeStream()
    const { lengths, done } = reading(stream)
    stream.receive(new Uint8Array(1))
    stream.receive(new Uint8Array(2))
    stream.reset(new Error('reset by the peer'))
    await assert.rejects(done, /reset by the peer/)
    assert.deepEqual(lengths, [1, 2])
  })

  it('pauses the stream above a MiB that nobody took, and resumes when all is taken', async () => {
    const stream = new FakeStream()
    const source = streamSource(stream.asStream, OPEN)
    const first = source.next()
    stream.receive(new Uint8Array(10))
    await first
    stream.receive(new Uint8Array(MIB))
    assert.equal(stream.readStatus, 'readable', 'a MiB is allowed')
    stream.receive(new Uint8Array(1))
    assert.equal(stream.readStatus, 'paused')
    stream.receive(new Uint8Array(7))
    assert.equal((await source.next()).value?.byteLength, MIB)
    assert.equal(stream.readStatus, 'paused')
    assert.equal((await source.next()).value?.byteLength, 1)
    assert.equal(stream.readStatus, 'readable')
    assert.equal((await source.next()).value?.byteLength, 7)
    assert.equal(stream.pauses, 1)
    await source.return(undefined)
  })

  it('loses nothing when the end comes with more than a MiB', async () => {
    const stream = new FakeStream()
    const source = streamSource(stream.asStream, OPEN)
    const first = source.next()
    stream.receive(new Uint8Array(10))
    await first
    stream.receiveLast(new Uint8Array(2 * MIB))
    assert.equal((await source.next()).value?.byteLength, 2 * MIB)
    assert.equal((await source.next()).done, true)
  })

  it('waits at the gate', async () => {
    const stream = new FakeStream()
    const gate = Promise.withResolvers<void>()
    const { lengths, done } = reading(stream, { pass: () => gate.promise })
    stream.receive(new Uint8Array(3))
    stream.finish()
    await turn()
    assert.deepEqual(lengths, [])
    gate.resolve()
    await done
    assert.deepEqual(lengths, [3])
  })

  it('leaves no listener behind', async () => {
    const stream = new FakeStream()
    const { lengths, done } = reading(stream)
    stream.finish()
    await done
    stream.receive(new Uint8Array(2 * MIB))
    assert.deepEqual(lengths, [])
    assert.equal(stream.pauses, 0)
  })
})

describe('writing to a stream', () => {
  it('asks for the next chunk only when the stream has drained', async () => {
    const stream = new FakeStream()
    let asked = 0
    async function* chunks(): AsyncGenerator<Uint8Array> {
      for (; asked < 3; ) yield Uint8Array.of(++asked)
    }
    stream.narrow = true
    const done = streamSink(stream.asStream, new AbortController().signal)(chunks())
    await turn()
    assert.equal(asked, 1)
    stream.drain()
    await turn()
    assert.equal(asked, 2)
    stream.narrow = false
    stream.drain()
    await done
    assert.equal(stream.wire, '010203')
  })

  it('goes on waiting while the stream drains by and by', async () => {
    const stream = new FakeStream()
    let asked = 0
    async function* chunks(): AsyncGenerator<Uint8Array> {
      for (; asked < 3; ) yield Uint8Array.of(++asked)
    }
    stream.narrow = true
    const done = streamSink(stream.asStream, new AbortController().signal)(chunks())
    await turn()
    for (let parts = 0; parts < 5; parts++) {
      stream.drainPartly()
      await turn()
    }
    assert.equal(asked, 1)
    stream.narrow = false
    stream.drain()
    await done
    assert.equal(asked, 3)
  })

  it('fails when the stream is reset while it is full', async () => {
    const stream = new FakeStream()
    stream.narrow = true
    async function* chunks(): AsyncGenerator<Uint8Array> {
      yield Uint8Array.of(1)
    }
    const done = streamSink(stream.asStream, new AbortController().signal)(chunks())
    await turn()
    stream.reset()
    await assert.rejects(done, /reset/)
  })
})

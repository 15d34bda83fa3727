/** How often a stream's window is opened again. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { it } from 'node:test'
import type { Stream } from '@libp2p/interface'
import { multiaddrConnectionPair } from '@libp2p/utils'
import { thriftyYamux } from '../../src/node/thrifty-yamux.ts'

/** Sends so many messages one way, and returns how many frames came back for them. */
async function answers(messages: number, bytes: number): Promise<{ frames: number; received: number }> {
  const [near, far] = multiaddrConnectionPair()
  const factory = thriftyYamux({})()
  const [here, there] = [factory.createStreamMuxer(near), factory.createStreamMuxer(far)]
  const arrived = once(there, 'stream') as Promise<[CustomEvent<Stream>]>
  const stream = await here.createStream()
  let frames = 0
  near.addEventListener('message', () => frames++)
  let received = 0
  const all = Promise.withResolvers<void>()
  stream.send(new Uint8Array(1))
  const [{ detail: end }] = await arrived
  end.addEventListener('message', ({ data }) => {
    received += data.byteLength
    if (received >= messages * bytes) all.resolve()
  })
  for (let sent = 0; sent < messages; sent++) {
    if (!stream.send(new Uint8Array(bytes))) await once(stream, 'drain')
  }
  await all.promise
  for (const muxer of [here, there]) muxer.abort(new Error('done'))
  for (const connection of [near, far]) connection.abort(new Error('done'))
  return { frames, received }
}

it('small messages are not answered one by one', async () => {
  const { frames } = await answers(200, 9)
  assert.ok(frames < 20, `${frames} frames came back for 200 messages`)
})

it('much more than a window gets through', async () => {
  const { frames, received } = await answers(128, 64 << 10)
  assert.ok(received >= 8 << 20)
  assert.ok(frames < 100, `${frames} frames came back for 128 of 64 KiB`)
})

/** A tracker on loopback for clients that find peers no other way: whoever asks is told of one address. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { TestContext } from 'node:test'
import { packEndpoints } from '../../src/core/endpoint.ts'

/** The URL to announce to. */
export async function trackerOf(t: TestContext, port: number): Promise<string> {
  const peers = packEndpoints([{ host: '127.0.0.1', port }], 4)
  const answer = Buffer.concat([
    Buffer.from(`d8:intervali1800e5:peers${peers.length}:`),
    peers,
    Buffer.from('e'),
  ])
  const server = createServer((_, response) => response.end(answer)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return `http://127.0.0.1:${address.port}/announce`
}

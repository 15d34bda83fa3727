/** Strangers that come and go without end: the node goes on serving, with no more memory and no more sockets than before. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { connect } from 'node:net'
import { test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { encodeBittorrentHandshake } from '../../../src/exchange/peer-wire/bittorrent-handshake.ts'
import { encodeMessage } from '../../../src/exchange/peer-wire/messages.ts'
import { parseMagnet } from '../../../src/torrent/magnet.ts'
import { memoryOf } from '../../bench/memory.ts'
import { type Home, Homes, until } from '../../e2e/homes.ts'
import { assertSame, MIB, writeNoise } from '../../e2e/trees.ts'
import { rounds } from '../extent.ts'
import { assertCalm } from '../log.ts'
import { tally } from '../tally.ts'
import { createPeer } from './libp2p-peer.ts'

/** Comings and goings of each kind; a libp2p peer takes a key and a TLS handshake each time, so there are fewer. */
const CONNECTIONS = rounds(2_000, 50_000)
const PEERS = rounds(50, 2_000)

/** Who comes at the same time. */
const AT_ONCE = 20

/** The first half brings the heap to its size; the second adds no more than this. */
const MOST_GROWTH = 32 * MIB

test('peers that come and go', async (t) => {
  const homes = await Homes.open(t)
  const home = await homes.add('seeder', { 'torrent.listen': '/ip4/127.0.0.1/tcp/0' })
  const source = homes.path('source')
  await writeNoise(source, 5 * MIB, 1)
  const cid = await home.share('add', '-q', source)
  const { v1 } = parseMagnet(await home.share('link', cid))
  const { torrentPort } = await home.daemon()
  const address = await home.address()
  const port = Number(/\/tcp\/(\d+)/.exec(address)?.[1])
  assert.ok(v1 && torrentPort && port)
  const hello = Buffer.concat([
    encodeBittorrentHandshake({
      flags: new Set(['extended', 'fast']),
      infoHash: v1,
      peerId: Buffer.from('-XX0000-'.padEnd(20, 'x')),
    }),
    ...encodeMessage({ type: 'have-all' }),
    ...encodeMessage({ type: 'interested' }),
  ])
  const kinds: [string, number, () => Promise<void>][] = [
    ['connections to the port of libp2p', CONNECTIONS, () => visit(port)],
    ['BitTorrent peers', CONNECTIONS, () => visit(torrentPort, hello)],
    ['libp2p peers', PEERS, () => visitAsPeer(address)],
  ]
  for (const [what, count, come] of kinds)
    await t.test(`${count} ${what}`, async () => {
      await many(count / 2, come)
      const before = await usage(home)
      await many(count / 2, come)
      await until(
        'they are gone',
        async () => (await usage(home)).descriptors <= before.descriptors + AT_ONCE,
      )
      const { memory } = await usage(home)
      assert.ok(memory - before.memory < MOST_GROWTH, `${memory - before.memory} bytes more`)
      tally(`${what} that come and go`, count, 'nothing grew, and others were served')
    })
  const leecher = await homes.add('leecher')
  await leecher.share('get', await home.share('link', cid), '-o', homes.path('target'))
  await assertSame(homes.path('target'), source)
  await assertCalm(home)
})

async function many(count: number, come: () => Promise<void>): Promise<void> {
  let left = count
  const comeAgain = async (): Promise<void> => {
    while (left-- > 0) await come()
  }
  await Promise.all(Array.from({ length: AT_ONCE }, comeAgain))
}

/** Says something, or nothing, and leaves without a word. */
async function visit(port: number, hello?: Uint8Array): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  // who is turned away comes again, too
  const closed = once(socket, 'close').catch(() => undefined)
  await Promise.race([once(socket, 'connect').catch(() => undefined), closed])
  if (hello !== undefined && socket.writable) {
    socket.write(hello)
    await Promise.race([once(socket, 'data').catch(() => undefined), closed])
  }
  socket.destroy()
}

async function visitAsPeer(address: string): Promise<void> {
  const libp2p = await createPeer()
  await libp2p.dial(multiaddr(address)).catch(() => undefined)
  await libp2p.stop()
}

async function usage(home: Home): Promise<{ memory: number; descriptors: number }> {
  const { pid } = await home.daemon()
  const memory = await memoryOf(pid, 'VmRSS')
  return { memory, descriptors: (await readdir(`/proc/${pid}/fd`)).length }
}

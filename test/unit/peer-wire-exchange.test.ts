/** The peer wire between two nodes in one process, over libp2p on loopback. */
import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { connectedPair, ROOT_KEY, stopNodes, type WireNode } from './peer-wire-node.ts'
import { block, have } from './peer-wire-pair.ts'

const KIB = 1 << 10
const SIZES = [300 * KIB, 1024 * KIB, 1024 * KIB, 5 * KIB]

/** Gives both the pieces, the first node all of them. */
function fill(seeder: WireNode, leecher: WireNode): void {
  seeder.host.tables.set(ROOT_KEY, { sizes: SIZES, have: have(SIZES.length, SIZES.keys()) })
  leecher.host.tables.set(ROOT_KEY, { sizes: SIZES, have: have(SIZES.length, []) })
}

const joined = (node: WireNode) => node.host.until(() => node.host.types().includes('joined'))

async function trading(): Promise<{ seeder: WireNode; leecher: WireNode }> {
  const [seeder, leecher] = await connectedPair()
  fill(seeder, leecher)
  assert.equal(await leecher.wire.open(ROOT_KEY, seeder.key), true)
  await Promise.all([joined(seeder), joined(leecher)])
  return { seeder, leecher }
}

describe('the peer wire between two nodes', { timeout: 30_000 }, () => {
  afterEach(stopNodes)

  it('starts with who joined, and what it has', async () => {
    const { seeder, leecher } = await trading()
    const root = ROOT_KEY
    assert.deepEqual(leecher.host.events, [
      { type: 'joined', root, peer: seeder.key, wire: 'share', has: [0, 1, 2, 3] },
    ])
    assert.deepEqual(seeder.host.events, [
      { type: 'joined', root, peer: leecher.key, wire: 'share', has: [] },
    ])
    assert.deepEqual(leecher.wire.peers(ROOT_KEY), [{ peer: seeder.key, joined: true, version: 'test' }])
  })

  it('moves pieces by offers, and tells what arrived on both sides', async () => {
    const { seeder, leecher } = await trading()
    leecher.host.onEvent = (event) => {
      if (event.type !== 'offered') return
      const length = SIZES[event.piece] ?? 0
      leecher.act(seeder, { type: 'request', piece: event.piece, begin: 0, length })
    }
    seeder.host.onEvent = (event) => {
      if (event.type !== 'requested') return
      const { piece, begin, length } = event
      seeder.act(leecher, { type: 'send', piece, begin, length })
    }
    for (const piece of [1, 0, 3])
      seeder.act(leecher, { type: 'offer', piece, eager: false, rate: 1e6, start: 0 })
    const delivered = (): number =>
      seeder.host.events.reduce((sum, event) => sum + (event.type === 'delivered' ? event.bytes : 0), 0)
    const total = 1024 * KIB + 300 * KIB + 5 * KIB
    await seeder.host.until(() => delivered() === total)
    for (const piece of [0, 1, 3])
      assert.deepEqual(leecher.host.arrived.get(piece), block(piece, SIZES[piece] ?? 0))
    assert.equal(seeder.host.sent, total)
    assert.equal(seeder.host.released.length, 3)
  })
})

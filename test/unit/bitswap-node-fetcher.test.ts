import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it, mock } from 'node:test'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { peerKey } from '../../src/core/types.ts'
import { FetchSession, NodeFetcher } from '../../src/exchange/bitswap/node-fetcher.ts'

const cid = (byte: number): CID => CID.createV1(0x70, Digest.create(0x12, new Uint8Array(32).fill(byte)))
const BLOCK = Uint8Array.of(1, 2, 3)
const [A, B, C] = ['A', 'B', 'C'].map(peerKey) as [
  ReturnType<typeof peerKey>,
  ReturnType<typeof peerKey>,
  ReturnType<typeof peerKey>,
]
const forever = new AbortController().signal

/** A fetcher whose wire writes down what it is told: `A wants 1`, `A cancels 1`. */
function bench() {
  const lines: string[] = []
  const numberOf = (of: CID): number => of.multihash.digest[0] ?? -1
  const fetcher = new NodeFetcher({
    want: (peer, cids, kind) => {
      for (const each of cids) lines.push(`${kind} ${numberOf(each)} of ${peer}`)
    },
    remind: (peer, cids) => {
      for (const each of cids) lines.push(`remind ${peer} of ${numberOf(each)}`)
    },
    cancel: (peer, each) => lines.push(`cancel ${numberOf(each)} at ${peer}`),
  })
  const session = new FetchSession()
  return {
    fetcher,
    session,
    join: (...peers: (typeof A)[]): void => {
      for (const peer of peers) fetcher.joined(session, peer)
    },
    /** What was told since the last look. */
    told: (): string[] => lines.splice(0),
  }
}

describe('fetching a DAG node', () => {
  beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }))
  afterEach(() => mock.timers.reset())

  it('asks one peer, and gives the block to all who want it', async () => {
    const { fetcher, session, join, told } = bench()
    join(A, B)
    const fetches = [fetcher.fetch(cid(1), session, forever), fetcher.fetch(cid(1), session, forever)]
    assert.deepEqual(told(), ['block 1 of A'])
    assert.equal(fetcher.offer(cid(1), BLOCK), true)
    assert.deepEqual(await Promise.all(fetches), [BLOCK, BLOCK])
    assert.deepEqual(told(), ['cancel 1 at A'])
    assert.equal(fetcher.offer(cid(1), BLOCK), false, 'nobody waits any more')
  })

  it('reminds whoever it asked, for an answer may be lost with a connection', () => {
    const { fetcher, session, join, told } = bench()
    join(A, B)
    void fetcher.fetch(cid(1), session, forever)
    mock.timers.tick(2_000)
    assert.deepEqual(told(), ['block 1 of A', 'block 1 of B'])
    mock.timers.tick(2_000)
    mock.timers.tick(9_999)
    assert.deepEqual(told(), [], 'B was given its time too')
    mock.timers.tick(1)
    assert.deepEqual(told(), ['remind A of 1', 'remind B of 1'])
    mock.timers.tick(10_000)
    assert.deepEqual(told(), ['remind A of 1', 'remind B of 1'])
    fetcher.offer(cid(1), BLOCK)
    told()
    mock.timers.tick(60_000)
    assert.deepEqual(told(), [])
  })

  it('spreads nodes over the peers', () => {
    const { fetcher, session, join, told } = bench()
    join(A, B)
    for (const byte of [1, 2, 3, 4]) void fetcher.fetch(cid(byte), session, forever)
    assert.deepEqual(told(), ['block 1 of A', 'block 2 of B', 'block 3 of A', 'block 4 of B'])
  })

  it('asks the next peer at once when one lacks it, and lets its want stand', async () => {
    const { fetcher, session, join, told } = bench()
    join(A, B)
    const fetch = fetcher.fetch(cid(1), session, forever)
    fetcher.lacks(B, cid(1))
    assert.deepEqual(told(), ['block 1 of A'], 'B was not asked')
    fetcher.lacks(A, cid(1))
    assert.deepEqual(told(), ['block 1 of B'])
    fetcher.lacks(B, cid(1))
    assert.deepEqual(told(), [], 'nobody is left')
    fetcher.offer(cid(1), BLOCK)
    await fetch
    assert.deepEqual(told(), ['cancel 1 at A', 'cancel 1 at B'])
  })

  it('asks the next peer after two seconds', () => {
    const { fetcher, session, join, told } = bench()
    join(A, B, C)
    void fetcher.fetch(cid(1), session, forever)
    mock.timers.tick(1_999)
    assert.deepEqual(told(), ['block 1 of A'])
    mock.timers.tick(1)
    assert.deepEqual(told(), ['block 1 of B'])
    mock.timers.tick(2_000)
    assert.deepEqual(told(), ['block 1 of C'])
    mock.timers.tick(10_000)
    assert.deepEqual(told(), [])
  })

  it('asks everybody who joins later', () => {
    const { fetcher, session, join, told } = bench()
    void fetcher.fetch(cid(1), session, forever)
    assert.deepEqual(told(), [])
    join(A)
    join(B, B)
    assert.deepEqual(told(), ['block 1 of A', 'block 1 of B'])
  })

  it('asks another when one leaves, and that one again when it is back', () => {
    const { fetcher, session, join, told } = bench()
    join(A, B)
    void fetcher.fetch(cid(1), session, forever)
    told()
    fetcher.left(session, A)
    assert.deepEqual(told(), ['block 1 of B'])
    join(A)
    assert.deepEqual(told(), ['block 1 of A'])
    fetcher.left(session, C)
    assert.deepEqual(told(), [])
  })

  it('for two sessions asks the peers of both', () => {
    const { fetcher, session, join, told } = bench()
    const other = new FetchSession()
    join(A)
    fetcher.joined(other, B)
    void fetcher.fetch(cid(1), session, forever)
    void fetcher.fetch(cid(1), other, forever)
    assert.deepEqual(told(), ['block 1 of A', 'block 1 of B'])
    fetcher.joined(other, C)
    assert.deepEqual(told(), ['block 1 of C'])
  })

  it('goes on for one user when another gives up, and ends with the last', async () => {
    const { fetcher, session, join, told } = bench()
    join(A, B)
    const [first, second] = [new AbortController(), new AbortController()]
    const fetches = [first, second].map(({ signal }) => fetcher.fetch(cid(1), session, signal))
    told()
    const reason = new Error('enough')
    first.abort(reason)
    await assert.rejects(fetches[0] ?? Promise.resolve(), reason)
    assert.deepEqual(told(), [])
    second.abort(reason)
    await assert.rejects(fetches[1] ?? Promise.resolve(), reason)
    assert.deepEqual(told(), ['cancel 1 at A'])
    assert.equal(fetcher.offer(cid(1), BLOCK), false)
    mock.timers.tick(10_000)
    assert.deepEqual(told(), [], 'no timer is left')
  })

  it('does not begin for a signal that is aborted', async () => {
    const { fetcher, session, join, told } = bench()
    join(A)
    await assert.rejects(fetcher.fetch(cid(1), session, AbortSignal.abort(new Error('no'))), /no/)
    assert.deepEqual(told(), [])
  })

  it('can begin again at the moment it ended', async () => {
    const { fetcher, session, join, told } = bench()
    join(A)
    const first = fetcher.fetch(cid(1), session, forever)
    fetcher.offer(cid(1), BLOCK)
    const second = fetcher.fetch(cid(1), session, forever)
    await first
    assert.equal(fetcher.offer(cid(1), BLOCK), true, 'the second is still waited for')
    assert.deepEqual(await second, BLOCK)
    assert.deepEqual(told(), ['block 1 of A', 'cancel 1 at A', 'block 1 of A', 'cancel 1 at A'])
  })
})

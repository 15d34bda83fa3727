import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { peerKey, rootKey } from '../../src/core/types.ts'
import { FairQueue, type Request } from '../../src/swarm/fair-queue.ts'

const request = (peer: string, piece: number, length = 100, root = 'R'): Request => ({
  root: rootKey(root),
  peer: peerKey(peer),
  piece,
  begin: 0,
  length,
  part: false,
})

/** Adds so many requests of a peer, one after the other. */
function asks(queue: FairQueue, peer: string, pieces: number, length = 100): void {
  for (let piece = 0; piece < pieces; piece++) queue.add(request(peer, piece, length))
}

/** The next so many, as `A0 B0`. */
const next = (queue: FairQueue, count: number): string =>
  Array.from({ length: count }, () => {
    const taken = queue.take(() => true)
    return taken === undefined ? '-' : `${taken.peer}${taken.piece}`
  }).join(' ')

describe('the fair queue', () => {
  it('serves peers in turn, each in its order', () => {
    const queue = new FairQueue()
    for (const peer of ['A', 'B', 'C']) asks(queue, peer, 3)
    assert.equal(next(queue, 10), 'A0 B0 C0 A1 B1 C1 A2 B2 C2 -')
    assert.ok(queue.empty)
  })

  it('counts bytes, not requests', () => {
    const queue = new FairQueue()
    asks(queue, 'A', 3, 200)
    asks(queue, 'B', 6, 100)
    assert.equal(next(queue, 9), 'A0 B0 B1 A1 B2 B3 A2 B4 B5')
  })

  it('does not let a newcomer, or one that comes back, make up for its absence', () => {
    const queue = new FairQueue()
    asks(queue, 'A', 20)
    next(queue, 10)
    asks(queue, 'B', 4)
    assert.equal(next(queue, 8), 'B0 A10 B1 A11 B2 A12 B3 A13')
    next(queue, 4)
    asks(queue, 'B', 1)
    assert.equal(next(queue, 3), 'B0 A18 A19')
  })

  it('takes only what may be taken, and passes over the rest', () => {
    const queue = new FairQueue()
    asks(queue, 'A', 2)
    asks(queue, 'B', 2)
    const notA = ({ peer }: Request): boolean => peer !== peerKey('A')
    assert.equal(queue.take(notA)?.peer, 'B')
    assert.equal(queue.take(notA)?.peer, 'B')
    assert.equal(queue.take(notA), undefined)
    assert.equal(next(queue, 3), 'A0 A1 -')
  })

  it('keeps a request once', () => {
    const queue = new FairQueue()
    for (let times = 0; times < 3; times++) queue.add(request('A', 0))
    assert.equal(next(queue, 2), 'A0 -')
  })

  it('finds and forgets one', () => {
    const queue = new FairQueue()
    asks(queue, 'A', 3)
    const found = queue.find(peerKey('A'), rootKey('R'), 1, 0)
    assert.equal(found?.piece, 1)
    assert.ok(found)
    queue.remove(found)
    assert.equal(queue.find(peerKey('A'), rootKey('R'), 1, 0), undefined)
    assert.equal(queue.find(peerKey('A'), rootKey('S'), 0, 0), undefined)
    assert.equal(queue.find(peerKey('B'), rootKey('R'), 0, 0), undefined)
    assert.equal(next(queue, 3), 'A0 A2 -')
  })

  it('forgets a peer, a root, or a peer in a root', () => {
    const cases: [which: Parameters<FairQueue['drop']>[0], left: string][] = [
      [{ peer: peerKey('A') }, 'B1 B2 -'],
      [{ root: rootKey('R') }, 'A4 B2 -'],
      [{ peer: peerKey('A'), root: rootKey('R') }, 'A4 B1 B2'],
    ]
    for (const [which, left] of cases) {
      const queue = new FairQueue()
      queue.add(request('A', 3))
      queue.add(request('A', 4, 100, 'S'))
      queue.add(request('B', 1))
      queue.add(request('B', 2, 100, 'S'))
      queue.drop(which)
      assert.equal(next(queue, 3), left)
    }
  })

  it('refuses a peer that asks without end, and nobody else', () => {
    const queue = new FairQueue()
    let kept = 0
    while (kept < 100_000 && queue.add(request('A', kept))) kept++
    assert.ok(kept >= 512, 'a pipeline of requests is ordinary')
    assert.ok(kept < 100_000)
    assert.ok(queue.add(request('B', 0)))
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { millis, peerKey } from '../../src/core/types.ts'
import { Downlink } from '../../src/swarm/downlink.ts'
import { Holdings } from '../../src/swarm/holdings.ts'
import { Source } from '../../src/swarm/incoming-piece.ts'
import { SwarmPeer } from '../../src/swarm/swarm-peer.ts'

/** What the downlink is known to carry, in bytes a second. */
const CARRIES = 1_000

interface Incoming {
  /** Bytes a second: announced, and measured where it has started. */
  readonly rate: number
  readonly bytes: number
  /** When its first byte may come; absent where it has started. */
  readonly startsAt?: number
}

/** A downlink that carried a thousand bytes a second, with transfers coming in at ten seconds. */
function downlink(...transfers: readonly Incoming[]): { link: Downlink; sources: Source[] } {
  const link = new Downlink()
  const learnt = source(link, { rate: CARRIES, bytes: 5_000, startsAt: 0 }, 5_000)
  link.add(learnt)
  link.arrived(5_000)
  learnt.progress.add(5_000, millis(10_000))
  link.remove(learnt, millis(10_000))
  const sources = transfers.map((transfer) => {
    const one = source(link, transfer, 9_000)
    link.add(one)
    if (transfer.startsAt === undefined) {
      // a byte at first, and what comes at its rate in the second after
      one.progress.add(1, millis(9_000))
      one.progress.add(transfer.rate, millis(10_000))
    }
    return one
  })
  return { link, sources }
}

function source(link: Downlink, { rate, bytes, startsAt = 0 }: Incoming, since: number): Source {
  const now = millis(since)
  return new Source({
    peer: new SwarmPeer(peerKey('A'), 'share', 1, new Holdings()),
    piece: 0,
    span: { begin: 0, end: bytes },
    announced: rate,
    startsAt,
    mark: link.mark(now),
    now,
  })
}

describe('the downlink', () => {
  it('carries what it did', () => {
    assert.equal(downlink().link.rate(millis(10_000)), CARRIES)
    assert.ok(new Downlink().rate(millis(0)) > 0, 'guessed before')
  })

  it('puts a transfer off until those that would be beside it leave room', () => {
    const now = 10_000
    /** At 800 bytes a second, of which 801 are here: it ends three seconds from now. */
    const running = { rate: 800, bytes: 801 + 2_400 }
    const fill = [running, running, running]
    const cases: [name: string, transfers: Incoming[], startsAt: number, waits: number][] = [
      ['nothing comes', [], now, 0],
      ['one, slower than the link', [running], now, 0],
      ['one as fast as the link', [{ rate: 1_000, bytes: 10_000 }], now, 0],
      ['two that fill it', [running, running], now, 0],
      ['three that more than fill it', fill, now, 3_000],
      ['three that are over by then', fill, now + 3_000, 0],
      ['three that end at different times', [running, running, { rate: 800, bytes: 801 + 800 }], now, 1_000],
      [
        'three that start as late',
        [running, running, { rate: 800, bytes: 800, startsAt: now + 4_000 }],
        now,
        3_000,
      ],
      ['many slow ones', [1, 2, 3, 4].map(() => ({ rate: 100, bytes: 9_000 })), now, 0],
      ['more than the link could carry, announced', [{ rate: 1e9, bytes: 5_000, startsAt: now }], now, 0],
      ['a slow one that ends last', [...fill, { rate: 10, bytes: 9_000 }], now, 3_000],
    ]
    for (const [name, transfers, startsAt, waits] of cases)
      assert.equal(Math.round(downlink(...transfers).link.wait(startsAt, millis(now))), waits, name)
  })

  it('knows how much comes in', () => {
    const { link, sources } = downlink({ rate: 300, bytes: 9_000 }, { rate: 500, bytes: 500, startsAt: 0 })
    assert.equal(link.load(), 300, 'what has not begun does not come')
    assert.deepEqual([...link], sources)
    const [first] = sources
    assert.ok(first)
    link.remove(first, millis(10_000))
    assert.equal(link.load(), 0)
    assert.equal(link.busySources, 1)
  })

  it('learns nothing of a transfer that never began', () => {
    const link = new Downlink()
    const guess = link.rate(millis(0))
    const never = source(link, { rate: 1, bytes: 100 }, 0)
    link.add(never)
    link.remove(never, millis(5_000))
    assert.equal(link.rate(millis(5_000)), guess)
  })
})

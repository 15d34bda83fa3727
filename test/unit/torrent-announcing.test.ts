/** When trackers are told what: intervals, events, failures, tiers (BEP 3, 12), with a clock that the test moves on. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Endpoint } from '../../src/core/endpoint.ts'
import type { Reach } from '../../src/core/ip-reach.ts'
import { createPrng } from '../../src/core/prng.ts'
import { type AnnounceAnswer, type AnnounceRequest, TrackerError } from '../../src/torrent/announce.ts'
import type { Answered } from '../../src/torrent/discovery/http-announce.ts'
import { TorrentTrackers } from '../../src/torrent/discovery/torrent-trackers.ts'
import { TestClock } from './torrent-clock.ts'

const MINUTE = 60_000
const url = (name: string): string => `http://${name}.example/announce`
const HASH = new Uint8Array(20).fill(1)
const OTHER = new Uint8Array(20).fill(2)

const ANSWER: AnnounceAnswer = {
  interval: 1800,
  minInterval: 300,
  peers: [],
  seeders: 3,
  leechers: 4,
  warning: undefined,
  trackerId: undefined,
}

/** A torrent with these trackers, and what they are told: `minute tracker event`. */
class Scene {
  readonly clock = new TestClock()
  readonly told: string[] = []
  readonly requests: AnnounceRequest[] = []
  readonly nearest: Reach[] = []
  readonly found: Endpoint[][] = []
  readonly trackers: TorrentTrackers
  /** What each tracker does; the others answer. */
  readonly conduct = new Map<string, () => Promise<Answered>>()
  wants = false
  left = 100

  constructor({ tiers = [[url('a')]], named = [] as string[], hashes = [HASH] } = {}) {
    this.trackers = new TorrentTrackers({
      clock: this.clock,
      prng: createPrng(1),
      identity: { peerId: new Uint8Array(20), port: 6881, key: 7 },
      nearest: 'world',
      hashes,
      trackers: tiers,
      named,
      progress: () => ({ uploaded: 1, downloaded: 2, left: this.left }),
      wantsPeers: () => this.wants,
      found: (peers) => this.found.push([...peers]),
      client: {
        announce: (tracker, request, { nearest, signal }) => {
          const minute = Math.round((this.clock.now() / MINUTE) * 10) / 10
          this.told.push(`${minute} ${new URL(tracker).hostname.split('.')[0]} ${request.event ?? '-'}`)
          this.requests.push(request)
          this.nearest.push(nearest)
          const answering = this.conduct.get(tracker)?.() ?? this.answer()
          return Promise.race([
            answering,
            new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
          ])
        },
      },
    }).start()
  }

  answer(answer: Partial<AnnounceAnswer> = {}, reach: Reach = 'world'): Promise<Answered> {
    return Promise.resolve({ answer: { ...ANSWER, ...answer }, reach })
  }

  /** What was told since this was last asked. */
  take(): string[] {
    return this.told.splice(0)
  }
}

const refuse = (): Promise<Answered> => Promise.reject(new TrackerError('refused', 'no'))

describe('a tracker', () => {
  it('is told of the start at once, and then as often as it says', async () => {
    const scene = new Scene()
    await scene.clock.advance(95 * MINUTE)
    assert.deepEqual(scene.take(), ['0 a started', '30 a -', '60 a -', '90 a -'])
    const { uploaded, downloaded, left, port, key, infoHash } = scene.requests[0] ?? assert.fail()
    assert.deepEqual([uploaded, downloaded, left, port, key], [1, 2, 100, 6881, 7])
    assert.deepEqual(infoHash, HASH)
  })

  it('is asked sooner where peers are wanted, but not more often than it lets us', async () => {
    const scene = new Scene()
    await scene.clock.advance(MINUTE)
    scene.wants = true
    scene.trackers.changed()
    scene.trackers.changed()
    await scene.clock.advance(15 * MINUTE)
    assert.deepEqual(scene.take(), ['0 a started', '5 a -', '10 a -', '15 a -'])
    // one that gives has what it needs
    scene.left = 0
    await scene.clock.advance(30 * MINUTE)
    assert.deepEqual(scene.take(), ['20 a -'])
    scene.trackers.changed()
    scene.trackers.changed()
    await scene.clock.advance(10 * MINUTE)
    assert.deepEqual(scene.take(), ['46 a -'])
  })

  it('is asked for no peers where none are wanted', async () => {
    const scene = new Scene()
    await scene.clock.advance(30 * MINUTE)
    assert.equal(scene.requests.at(-1)?.wanted, 0)
    scene.wants = true
    await scene.clock.advance(30 * MINUTE)
    assert.equal(scene.requests.at(-1)?.wanted, 50)
  })

  it('is told once, and at once, that the download is done', async () => {
    const scene = new Scene()
    await scene.clock.advance(MINUTE)
    scene.left = 0
    scene.trackers.completed()
    await scene.clock.advance(40 * MINUTE)
    assert.deepEqual(scene.take(), ['0 a started', '1 a completed', '31 a -'])
  })

  it('is told of the end after the start, where the download is done in between', async () => {
    const scene = new Scene()
    const { promise, resolve } = Promise.withResolvers<Answered>()
    scene.conduct.set(url('a'), () => promise)
    await scene.clock.advance(1)
    scene.trackers.completed()
    scene.conduct.clear()
    resolve(await scene.answer())
    await scene.clock.advance(MINUTE)
    assert.deepEqual(scene.take(), ['0 a started', '0 a completed'])
  })

  it('is told that we leave, if it was told that we came; nobody waits longer than the limit', async () => {
    const scene = new Scene({ tiers: [[url('a')], [url('b')]] })
    await scene.clock.advance(MINUTE)
    scene.take()
    await scene.trackers.stop(new AbortController().signal)
    assert.deepEqual(scene.take(), ['1 a stopped'])
    assert.equal(scene.requests.at(-1)?.wanted, 0)
    await scene.clock.advance(100 * MINUTE)
    assert.deepEqual(scene.take(), [])

    const hanging = new Scene()
    await hanging.clock.advance(MINUTE)
    hanging.conduct.set(url('a'), () => new Promise(() => {}))
    const limit = new AbortController()
    const stopped = hanging.trackers.stop(limit.signal)
    limit.abort(new Error('enough'))
    await stopped
  })

  it('gets back the id that it gave', async () => {
    const scene = new Scene()
    scene.conduct.set(url('a'), () => scene.answer({ trackerId: Buffer.from('x') }))
    await scene.clock.advance(MINUTE)
    scene.conduct.clear()
    await scene.clock.advance(60 * MINUTE)
    const ids = scene.requests.map(({ trackerId }) => Buffer.from(trackerId ?? '').toString())
    assert.deepEqual(ids, ['', 'x', 'x'])
  })
})

describe('where trackers fail', () => {
  it('the next ones stand in, and the one that answers is asked from then on', async () => {
    const scene = new Scene({ tiers: [[url('a')], [url('b')]] })
    scene.conduct.set(url('a'), refuse)
    await scene.clock.advance(31 * MINUTE)
    assert.deepEqual(scene.take(), ['0 a started', '0 b started', '30 a started', '30 b -'])
    assert.deepEqual(
      scene.trackers.standings().map(({ url, error, seeders }) => [url, error, seeders]),
      [
        [url('a'), 'no', undefined],
        [url('b'), undefined, 3],
      ],
    )
  })

  it('a round in vain is followed by a pause, each longer than the one before', async () => {
    const scene = new Scene({ tiers: [[url('a'), url('b')]] })
    scene.conduct.set(url('a'), refuse)
    scene.conduct.set(url('b'), refuse)
    await scene.clock.advance(600 * MINUTE)
    const times = scene.take().map((line) => Number(line.split(' ')[0]))
    assert.equal(times.length % 2, 0)
    const rounds = times.filter((_, at) => at % 2 === 0)
    const pauses = rounds.slice(1).map((time, at) => time - (rounds[at] ?? 0))
    const expected = [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    for (const [at, minutes] of expected.entries()) {
      const pause = pauses[at] ?? 0
      assert.ok(pause >= 0.7 * minutes && pause <= 1.3 * minutes + 0.1, `${pause} instead of ${minutes}`)
    }
    // wanting peers changes nothing about it
    const before = scene.told.length
    scene.wants = true
    scene.trackers.changed()
    await scene.clock.advance(1)
    assert.equal(scene.told.length, before)
  })
})

describe('of several lists', () => {
  it("those that a person named are told all, and may be near; the torrent's stand in for each other and may not", async () => {
    const scene = new Scene({
      tiers: [[url('a')], [url('b')], [url('n')]],
      named: [url('n'), url('m'), 'ftp://x.example'],
    })
    await scene.clock.advance(MINUTE)
    assert.deepEqual(scene.take(), ['0 n started', '0 m started', '0 a started'])
    assert.deepEqual(scene.nearest, ['machine', 'machine', 'world'])
  })

  it('a hybrid is told under both of its hashes', async () => {
    const scene = new Scene({ hashes: [HASH, OTHER] })
    await scene.clock.advance(MINUTE)
    assert.deepEqual(scene.take(), ['0 a started', '0 a started'])
    assert.deepEqual(
      scene.requests.map(({ infoHash }) => infoHash[0]),
      [1, 2],
    )
    assert.equal(scene.trackers.standings().length, 1)
  })

  it('none means that nobody is told', async () => {
    const scene = new Scene({ tiers: [] })
    await scene.clock.advance(MINUTE)
    scene.trackers.completed()
    scene.trackers.changed()
    await scene.clock.advance(MINUTE)
    assert.deepEqual([scene.take(), scene.trackers.standings()], [[], []])
  })
})

describe('the peers of an answer', () => {
  const PEERS: Endpoint[] = [
    { host: '127.0.0.1', port: 1 },
    { host: '192.168.1.1', port: 2 },
    { host: '198.51.100.1', port: 3 },
    { host: '198.51.100.1', port: 3 },
    { host: '169.254.169.254', port: 80 },
  ]

  for (const [reach, ports] of [
    ['world', [3]],
    ['site', [2, 3]],
    ['machine', [1, 2, 3]],
  ] as const)
    it(`come once each, and from a tracker of the ${reach} only those that mean the same here`, async () => {
      const scene = new Scene()
      scene.conduct.set(url('a'), () => scene.answer({ peers: PEERS }, reach))
      await scene.clock.advance(MINUTE)
      assert.deepEqual(
        scene.found.map((peers) => peers.map(({ port }) => port)),
        [ports],
      )
    })
})

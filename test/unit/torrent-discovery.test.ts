/** Which ways of finding peers a torrent uses: a private one its trackers alone (BEP 27), also when that turns out late. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Endpoint } from '../../src/core/endpoint.ts'
import { createPrng } from '../../src/core/prng.ts'
import { DhtSearch } from '../../src/torrent/discovery/dht-search.ts'
import { Discovery } from '../../src/torrent/discovery/discovery.ts'
import { type LocalLink, LocalPeers } from '../../src/torrent/discovery/local-peers.ts'
import { decodeLocalAnnounce, encodeLocalAnnounce } from '../../src/torrent/local-discovery.ts'
import { TestClock } from './torrent-clock.ts'

const MINUTE = 60_000
const HASH = new Uint8Array(20).fill(1)
const V2 = new Uint8Array(32).fill(2)
const NET = { name: 'eth0', address: '192.168.1.5', cidr: '192.168.1.5/24', family: 'IPv4' } as const
const peer = (port: number): Endpoint => ({ host: '192.168.1.9', port })

/** A discovery of all kinds, and what becomes of it: `way hash` for each that was told or asked. */
class Scene {
  readonly clock = new TestClock()
  readonly used: string[] = []
  readonly found: string[] = []
  readonly discovery: Discovery
  #hear: Parameters<LocalLink['hear']>[0] = () => {}
  info: { isPrivate: boolean } | undefined

  constructor(isPrivate: boolean | undefined) {
    this.info = isPrivate === undefined ? undefined : { isPrivate }
    const use = (way: string, hash: Uint8Array | undefined): void => {
      this.used.push(`${way} ${hash?.[0]}`)
    }
    const link: LocalLink = {
      family: 4,
      send: (packet) => {
        for (const hash of decodeLocalAnnounce(packet)?.infoHashes ?? []) use('lsd', hash)
      },
      hear: (onPacket) => {
        this.#hear = onPacket
      },
      close: () => use('close', HASH),
    }
    const { clock } = this
    this.discovery = new Discovery({
      identity: { peerId: new Uint8Array(20), port: 6881, key: 1 },
      client: {
        announce: async (_, request) => {
          use(request.event ?? 'tracker', request.infoHash)
          const answer = { interval: 1800, minInterval: 1800, seeders: 0, leechers: 0 }
          return {
            answer: { ...answer, peers: [peer(1)], warning: undefined, trackerId: undefined },
            reach: 'site',
          }
        },
      },
      nearest: 'world',
      dht: {
        port: 6881,
        nodes: 1,
        meet: () => {},
        stop: async () => {},
        seek: (hash, search) =>
          new DhtSearch({
            ...search,
            clock,
            hasNodes: () => true,
            lookUp: async () => {
              use('dht', hash)
              search.found([peer(2)])
              return 1
            },
            announce: async () => 1,
            onStop: () => {},
          }).start(),
      },
      local: new LocalPeers({ interfaces: [NET], port: 6881, clock, log: () => {} }, [link]),
      clock,
      prng: createPrng(1),
    })
  }

  seek() {
    return this.discovery.seek({
      hashes: { v1: HASH, v2: V2 },
      trackers: [['http://a.example/announce']],
      named: [],
      info: () => this.info,
      progress: () => ({ uploaded: 0, downloaded: 0, left: 1 }),
      wantsPeers: () => true,
      found: (peers, source) => this.found.push(...peers.map(({ port }) => `${source} ${port}`)),
    })
  }

  hear(): void {
    const packet = encodeLocalAnnounce(4, { port: 3, infoHashes: [HASH], cookie: undefined })
    this.#hear(packet, { address: '192.168.1.9', family: 'IPv4' })
  }

  /** What was used and found since this was last asked. */
  take(): string[][] {
    return [[...new Set(this.used.splice(0))].toSorted(), [...new Set(this.found.splice(0))].toSorted()]
  }
}

describe('a torrent', () => {
  it('is found in all ways, under both of its hashes', async () => {
    const scene = new Scene(false)
    const seeking = scene.seek()
    await scene.clock.advance(MINUTE / 2)
    scene.hear()
    assert.deepEqual(scene.take(), [
      ['dht 1', 'dht 2', 'lsd 1', 'lsd 2', 'started 1', 'started 2'],
      ['dht 2', 'lsd 3', 'tracker 1'],
    ])
    assert.deepEqual(
      seeking.standings().map(({ kind }) => kind),
      ['tracker', 'dht', 'lsd'],
    )
    await seeking.stop()
    await scene.clock.advance(60 * MINUTE)
    scene.hear()
    assert.deepEqual(scene.take(), [['stopped 1', 'stopped 2'], []])
  })

  it('that is private is found by its trackers alone', async () => {
    const scene = new Scene(true)
    const seeking = scene.seek()
    await scene.clock.advance(10 * MINUTE)
    scene.hear()
    seeking.changed()
    await scene.clock.advance(10 * MINUTE)
    assert.deepEqual(scene.take(), [['started 1', 'started 2'], ['tracker 1']])
    assert.deepEqual(
      seeking.standings().map(({ kind }) => kind),
      ['tracker'],
    )
  })

  it('that turns out to be private is sought in no other way from then on', async () => {
    const scene = new Scene(undefined)
    const seeking = scene.seek()
    await scene.clock.advance(1)
    assert.ok(scene.take()[0]?.includes('dht 1'))
    scene.info = { isPrivate: true }
    // between the info and the word of it
    scene.hear()
    assert.deepEqual(scene.found, [])
    seeking.changed()
    await scene.clock.advance(29 * MINUTE)
    scene.hear()
    assert.deepEqual(scene.take(), [[], []])
  })

  it('is over for all when discovery is', async () => {
    const scene = new Scene(false)
    scene.seek()
    await scene.clock.advance(1)
    scene.take()
    await scene.discovery.stop()
    await scene.clock.advance(60 * MINUTE)
    assert.deepEqual(scene.take(), [['close 1', 'stopped 1', 'stopped 2'], []])
  })
})

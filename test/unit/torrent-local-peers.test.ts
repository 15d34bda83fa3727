/** Local discovery (BEP 14): when packets go out, what is in them, and who is listened to. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Endpoint } from '../../src/core/endpoint.ts'
import { type LocalLink, LocalPeers } from '../../src/torrent/discovery/local-peers.ts'
import { decodeLocalAnnounce, encodeLocalAnnounce } from '../../src/torrent/local-discovery.ts'
import { TestClock } from './torrent-clock.ts'

const MINUTE = 60_000
const NET = { name: 'eth0', address: '192.168.1.5', cidr: '192.168.1.5/24', family: 'IPv4' } as const
const hash = (at: number): Uint8Array => Uint8Array.of(at >>> 8, at, ...new Uint8Array(18))

/** One interface: what was said on it (`minute hashes`), and a way to say something. */
class Network implements LocalLink {
  readonly family = 4
  readonly clock = new TestClock()
  readonly packets: Uint8Array[] = []
  readonly said: [minute: number, hashes: number][] = []
  #onPacket: Parameters<LocalLink['hear']>[0] = () => {}
  readonly peers: LocalPeers

  constructor() {
    this.peers = new LocalPeers({ interfaces: [NET], port: 6881, clock: this.clock, log: () => {} }, [this])
  }

  send(packet: Uint8Array): void {
    this.packets.push(packet)
    this.said.push([this.clock.now() / MINUTE, decodeLocalAnnounce(packet)?.infoHashes.length ?? 0])
  }

  hear(onPacket: Parameters<LocalLink['hear']>[0]): void {
    this.#onPacket = onPacket
  }

  close(): void {}

  says(packet: Uint8Array, address: string): void {
    this.#onPacket(packet, { address, family: 'IPv4' })
  }
}

describe('local discovery', () => {
  it('says what is here at once and every five minutes, a packet a minute at most', async () => {
    const network = new Network()
    network.peers.seek(hash(1), () => {})
    await network.clock.advance(MINUTE / 2)
    const second = network.peers.seek(hash(2), () => {})
    await network.clock.advance(10.4 * MINUTE)
    assert.deepEqual(network.said, [
      [0, 1],
      [1, 1],
      [5, 1],
      [6, 1],
      [10, 1],
    ])
    assert.equal(decodeLocalAnnounce(network.packets[0] ?? new Uint8Array(0))?.port, 6881)
    second.stop()
    await network.clock.advance(5 * MINUTE)
    assert.deepEqual(network.said.slice(5), [[15, 1]])
    network.peers.stop()
    await network.clock.advance(60 * MINUTE)
    assert.equal(network.said.length, 6)
  })

  it('gives each of many torrents its turn', async () => {
    const network = new Network()
    for (let at = 0; at < 150; at++) network.peers.seek(hash(at), () => {})
    await network.clock.advance(7.5 * MINUTE)
    assert.deepEqual(
      network.said.map(([minute]) => minute),
      [0, 1, 2, 3, 4, 5, 6, 7],
    )
    const first = new Set(
      network.packets
        .flatMap((packet) => decodeLocalAnnounce(packet)?.infoHashes ?? [])
        .map((each) => Buffer.from(each).toString('hex')),
    )
    assert.equal(first.size, 150)
  })

  it('hears who has what is sought, on this network, but not itself', async () => {
    const network = new Network()
    const found: Endpoint[] = []
    const search = network.peers.seek(hash(1), (peers) => found.push(...peers))
    await network.clock.advance(1)
    const announce = (port: number, infoHashes: Uint8Array[], cookie?: string): Uint8Array =>
      encodeLocalAnnounce(4, { port, infoHashes, cookie })
    network.says(announce(1, [hash(2), hash(1)]), '192.168.1.9')
    network.says(announce(2, [hash(1)], 'theirs'), '192.168.1.9')
    // another torrent, another network, ourselves, nonsense
    network.says(announce(3, [hash(3)]), '192.168.1.9')
    network.says(announce(4, [hash(1)]), '198.51.100.1')
    network.says(network.packets[0] ?? new Uint8Array(0), '192.168.1.5')
    network.says(Buffer.from('BT-SEARCH * HTTP/1.1\r\nPort: 70000\r\n'), '192.168.1.9')
    assert.deepEqual(found, [
      { host: '192.168.1.9', port: 1 },
      { host: '192.168.1.9', port: 2 },
    ])
    const { kind, peers, at, next } = search.standing()
    assert.deepEqual([kind, peers, at, next], ['lsd', 2, 0, 5 * MINUTE])
    search.stop()
    network.says(announce(1, [hash(1)]), '192.168.1.9')
    assert.equal(found.length, 2)
  })

  it('listens to nobody who talks too much', () => {
    const network = new Network()
    let heard = 0
    network.peers.seek(hash(1), () => heard++)
    const packet = encodeLocalAnnounce(4, { port: 1, infoHashes: [hash(1)], cookie: undefined })
    for (let time = 0; time < 1000; time++) network.says(packet, '192.168.1.9')
    assert.equal(heard, 10)
  })

  it('without an interface says so', () => {
    const peers = new LocalPeers({ interfaces: [], port: 1, clock: new TestClock(), log: () => {} }, [])
    assert.equal(peers.seek(hash(1), () => {}).standing().error, 'no interface for it')
  })
})

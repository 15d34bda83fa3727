/**
 * One swarm of three programs, each peer on a link of its own: a `share` node has a file, and three of its kind, three
 * libtorrents and two kubos want it at the same time. Needs root. Prints who sent how much to whom, as the receivers count it.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { PeerInfo } from '../../src/node/types.ts'
import { formatMagnet, type Magnet, parseMagnet } from '../../src/torrent/magnet.ts'
import { kubo } from '../bench/kubo.ts'
import { libtorrent } from '../bench/libtorrent.ts'
import { type Program, Place as Spot } from '../bench/program.ts'
import { watch } from '../e2e/watch.ts'
import { Internet } from './internet/internet.ts'
import { Node } from './internet/node.ts'

const SIZE = 32 << 20

/** libtorrent's, in the benchmarks. */
const TORRENT_PORT = 6881

/** Some times what it takes: how long is not what is tested. */
const LIMIT_MS = 120_000

const SEEDER = 'seeder'

/** Bytes by sender. */
type Received = ReadonlyMap<string, number>

/** Somebody who wants the file. */
interface Leecher {
  readonly name: string
  /** Where the file is in the end. */
  readonly target: string
  /** Returns when it is there. */
  get(): Promise<void>
  /** Of whom it came, by address, or peer id. */
  received(): Promise<Received>
}

test('share, libtorrent and kubo in one swarm, each peer on a link of its own', {
  timeout: 2 * LIMIT_MS,
}, async (t) => {
  const place = await Place.open(t)
  const content = randomBytes(SIZE)
  const offer = await place.seed(content)
  const others = [
    await place.join('libtorrent 1', await libtorrent('plain'), offer),
    await place.join('libtorrent 2', await libtorrent('plain'), offer),
    await place.join('libtorrent 3', await libtorrent('plain'), offer),
  ]
  const shares = [
    await place.joinShare('share 1', offer),
    await place.joinShare('share 2', offer),
    await place.joinShare('share 3', offer),
  ]
  const kubos = [
    await place.join('kubo 1', await kubo(undefined), offer),
    await place.join('kubo 2', await kubo(undefined), offer),
  ]
  const leechers = [...shares, ...others, ...kubos]
  await Promise.all(leechers.map((leecher) => leecher.get()))
  for (const { name, target } of leechers)
    assert.ok(content.equals(await readFile(target)), `what ${name} got differs`)
  const table = new Table(place.names)
  for (const { name, received } of leechers) table.add(name, await received())
  for (const line of table.lines) t.diagnostic(line)
  for (const [from, to] of [
    ['share', 'libtorrent'],
    ['libtorrent', 'share'],
    ['share', 'kubo'],
  ] as const)
    assert.ok(table.between(from, to) > 0, `nothing went from ${from} to ${to}`)
  assert.ok(table.between(SEEDER, '') < leechers.length * SIZE, 'nobody helped the seeder')
})

/** What leechers go by. */
interface Offer {
  readonly cid: string
  readonly magnet: Magnet
  /** A file, hybrid. */
  readonly torrent: string
}

/** The links, and who is at the end of each. */
class Place {
  /** Of peers, by address and by peer id. */
  readonly names = new Map<string, string>()
  readonly #t: TestContext
  readonly #internet: Internet
  readonly #directory: string
  /** Hosts of those whom BitTorrent clients call: the seeder, and libtorrents. */
  readonly #torrents: string[] = []
  /** Of those who speak libp2p. */
  readonly #multiaddrs: string[] = []

  private constructor(t: TestContext, internet: Internet, directory: string) {
    this.#t = t
    this.#internet = internet
    this.#directory = directory
  }

  static async open(t: TestContext): Promise<Place> {
    const internet = await Internet.layOut()
    t.after(() => internet.remove())
    const directory = await mkdtemp(join(tmpdir(), 'share-mixed-'))
    t.after(() => rm(directory, { recursive: true, force: true }))
    return new Place(t, internet, directory)
  }

  async seed(content: Buffer): Promise<Offer> {
    const { client, path, host } = await this.#share(SEEDER)
    this.#torrents.push(host)
    await writeFile(path, content)
    const { cid } = await client.add({ path }, {})
    const { link } = await client.link({ cid })
    const torrent = join(this.#directory, 'file.torrent')
    await writeFile(torrent, client.torrentFile({ cid }, {}))
    return { cid, magnet: parseMagnet(link), torrent }
  }

  async joinShare(name: string, { magnet }: Offer): Promise<Leecher> {
    const { client, path, host } = await this.#share(name)
    const got = new Map<string, number>()
    const note = ({ id, wire, downloaded }: PeerInfo): void => {
      const key = wire === 'bittorrent' ? id.replace(/:\d+$/, '') : id
      if (downloaded > 0) got.set(key, downloaded)
    }
    const peers = this.#multiaddrs.filter((address) => !address.includes(`/${host}/`))
    const target = formatMagnet({
      ...magnet,
      peers: this.#torrents.map((other) => `${other}:${TORRENT_PORT}`),
    })
    return {
      name,
      target: path,
      get: async () => {
        const watching = watch(async () => {
          for (const share of (await client.status()).shares) for (const peer of share.peers) note(peer)
        })
        try {
          await client.get({ target, output: path, peers }, { signal: AbortSignal.timeout(LIMIT_MS) })
        } finally {
          await watching.stop()
        }
      },
      received: async () => got,
    }
  }

  async join(name: string, program: Program, { cid, torrent }: Offer): Promise<Leecher> {
    const host = await this.#internet.home('public')
    const directory = join(this.#directory, name)
    await mkdir(directory)
    const peer = await program.start(
      new Spot({ namespace: host.namespace, address: host.outside }, directory),
    )
    this.#t.after(() => peer.stop())
    const target = join(directory, 'file')
    const id = /(?<=\/p2p\/)\w+$/.exec(peer.address)?.[0]
    const what = id === undefined ? torrent : cid
    await peer.join(what, target, id === undefined ? this.#torrents : this.#multiaddrs)
    this.names.set(id ?? host.outside, name)
    if (id === undefined) this.#torrents.push(host.outside)
    else this.#multiaddrs.push(peer.address)
    return {
      name,
      target,
      get: () => peer.get(what, target),
      received: async () => (await peer.sources?.([...this.names.keys()].filter(isPeerId))) ?? new Map(),
    }
  }

  /** A node, and a path for the file. */
  async #share(name: string): Promise<{ client: Node['client']; path: string; host: string }> {
    const host = await this.#internet.home('public')
    const node = await Node.start(this.#internet, host, {
      'torrent.listen': `/ip4/0.0.0.0/tcp/${TORRENT_PORT}`,
      dht: 'off',
      'discovery.mdns': 'off',
    })
    this.#t.after(() => node.remove())
    const { peerId } = await node.client.id()
    for (const key of [peerId, host.outside]) this.names.set(key, name)
    this.#multiaddrs.push(`/ip4/${host.outside}/tcp/4141/p2p/${peerId}`)
    return { client: node.client, path: node.path('file'), host: host.outside }
  }
}

const isPeerId = (key: string): boolean => !key.includes('.')

/** Who sent how much to whom, as the receivers count it. */
class Table {
  readonly #names: ReadonlyMap<string, string>
  readonly #rows = new Map<string, Map<string, number>>()

  constructor(names: ReadonlyMap<string, string>) {
    this.#names = names
  }

  add(receiver: string, received: Received): void {
    const row = new Map<string, number>()
    for (const [key, bytes] of received) {
      const sender = this.#names.get(key) ?? key
      row.set(sender, (row.get(sender) ?? 0) + bytes)
    }
    this.#rows.set(receiver, row)
  }

  /** Bytes from those whose names begin so to those whose names begin otherwise. */
  between(from: string, to: string): number {
    const cells = [...this.#rows].flatMap(([receiver, row]) => (receiver.startsWith(to) ? [...row] : []))
    return cells.reduce((sum, [sender, bytes]) => (sender.startsWith(from) ? sum + bytes : sum), 0)
  }

  get lines(): string[] {
    const senders = [...new Set(this.#names.values())]
    const mb = (bytes: number | undefined): string =>
      (bytes === undefined ? '' : (bytes / 1e6).toFixed(1)).padStart(6)
    return [
      `MB, from | to ${[...this.#rows.keys()].join(', ')}`,
      ...senders.map((sender) => {
        const cells = [...this.#rows.values()].map((row) => mb(row.get(sender)))
        return `${sender.padEnd(12)} ${cells.join(' ')}`
      }),
    ]
  }
}

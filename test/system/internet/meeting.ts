/** Two nodes of the small internet meet by a link: whether they do, how fast, and by which way. */
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ConfigKey } from '../../../src/node/config.ts'
import type { GetProgress } from '../../../src/node/types.ts'
import { type Distance, type Host, Internet, type Kind, LINK_BITS } from './internet.ts'
import { Node } from './node.ts'

/** Where the servers are: peers in different networks, as those that check addresses for each other have to be. */
const SERVERS = ['45.1.0.1', '46.1.0.1', '47.1.0.1']

/** Time for a node to learn how it is reached, for a first file, and for a direct way to be found, in ms. */
const SETTLING = 60_000
const MEETING = 60_000
const GOING_DIRECT = 15_000

const FIRST_BYTES = 4_096

/** What a link carries in about three seconds. */
const RATE_BYTES = 16 << 20

export interface Meeting {
  readonly way: 'direct' | 'relayed' | 'none'
  /** From the command to the last byte of a file of 4 KiB. */
  readonly firstSeconds: number
  /** Of the slower link, once they are met. */
  readonly share: number
}

/** The servers of the internet, and the nodes of homes, which know those alone. */
export class Place {
  readonly internet: Internet
  readonly nodes: Node[] = []
  #bootstrap: string[] = []
  #relay: Node | undefined

  private constructor(internet: Internet) {
    this.internet = internet
  }

  static async open(): Promise<Place> {
    const place = new Place(await Internet.layOut())
    try {
      for (const address of SERVERS) await place.#addServer(address)
    } catch (thrown) {
      await place.close()
      throw thrown
    }
    return place
  }

  /** The server that relays. */
  get relay(): Node {
    if (this.#relay === undefined) throw new Error('no server runs')
    return this.#relay
  }

  get bootstrap(): string {
    return this.#bootstrap.join(' ')
  }

  async add(kind: Kind, distance?: Distance): Promise<Node> {
    return this.addAt(await this.internet.home(kind, distance))
  }

  async addAt(host: Host, settings: Partial<Record<ConfigKey, string>> = {}): Promise<Node> {
    const node = await Node.start(this.internet, host, { bootstrap: this.bootstrap, ...settings })
    this.nodes.push(node)
    return node
  }

  /** Nodes with nobody but each other, and the settings that everybody has. */
  async addLan(count: number): Promise<Node[]> {
    const hosts = await this.internet.lan(count)
    return Promise.all(hosts.map((host) => this.addAt(host, { listen: '/ip4/0.0.0.0/tcp/4141' })))
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.remove()))
    await this.internet.remove()
  }

  async #addServer(address: string): Promise<void> {
    const host = await this.internet.server(address)
    const serves = this.#relay === undefined
    const node = await this.addAt(host, {
      dht: 'server',
      bootstrap: this.#bootstrap.length === 0 ? 'none' : this.bootstrap,
      'relay.serve': serves ? 'on' : 'off',
    })
    this.#relay ??= node
    const { peerId } = await node.client.id()
    const at = [`/ip4/${address}/tcp/4141`, `/ip6/${host.outside6}/tcp/4141`, `/ip4/${address}/tcp/80/ws`]
    this.#bootstrap.push(...at.map((each) => `${each}/p2p/${peerId}`))
  }
}

const DIRECT_KINDS = new Set<Kind>(['public', 'full cone', 'upnp'])

/** Waits until the node can be reached as its kind allows. */
export async function settled(node: Node): Promise<void> {
  const wanted = DIRECT_KINDS.has(node.host.kind) ? ['direct'] : ['direct', 'relayed']
  await eventually(`${node.host.kind} is reached`, SETTLING, async () => {
    return wanted.includes((await node.client.id()).reachable)
  })
}

export async function meet(seeder: Node, leecher: Node): Promise<Meeting> {
  const { peerId } = await seeder.client.id()
  const started = performance.now()
  try {
    await hand([seeder], leecher, FIRST_BYTES)
  } catch (thrown) {
    console.error(`${seeder.host.kind} -> ${leecher.host.kind}: ${String(thrown)}`)
    return { way: 'none', firstSeconds: Number.NaN, share: 0 }
  }
  const firstSeconds = (performance.now() - started) / 1000
  await goneDirect(leecher, peerId)
  const way = (await leecher.wayTo(peerId)) ?? 'none'
  return { way, firstSeconds, share: await hand([seeder], leecher, RATE_BYTES) }
}

/** Whether there is a direct connection within a while. */
export async function goneDirect(node: Node, peerId: string): Promise<boolean> {
  const end = performance.now() + GOING_DIRECT
  while (performance.now() < end) {
    if ((await node.wayTo(peerId)) === 'direct') return true
    await sleep(200)
  }
  return false
}

/**
 * Adds a file of random bytes at the seeders and gets it there, by the first one's link and the others' addresses. Returns the
 * rate from the first bytes that came, as a part of a link; 0 for a file that came in one piece.
 */
export async function hand(seeders: readonly Node[], leecher: Node, bytes: number): Promise<number> {
  const name = randomBytes(8).toString('hex')
  const content = randomBytes(bytes)
  const peers: string[] = []
  let target = ''
  for (const seeder of seeders) {
    await writeFile(seeder.path(name), content)
    const { cid } = await seeder.client.add({ path: seeder.path(name) }, {})
    if (target === '') target = (await seeder.client.link({ cid, torrent: false })).link
    else peers.push(...(await seeder.client.id()).addresses)
  }
  let first: { have: number; at: number } | undefined
  const onProgress = ({ share: { have } }: GetProgress): void => {
    if (have > 0) first ??= { have, at: performance.now() }
  }
  const signal = AbortSignal.timeout(MEETING)
  await leecher.client.get({ target, output: leecher.path(name), peers }, { signal, onProgress })
  if (first === undefined || first.have === bytes) return 0
  return ((bytes - first.have) * 8 * 1000) / (performance.now() - first.at) / LINK_BITS
}

/** Looks four times a second. @throws Error when it does not come about */
export async function eventually(what: string, ms: number, look: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + ms
  while (!(await look())) {
    if (performance.now() > end) throw new Error(`waited in vain until ${what}`)
    await sleep(250)
  }
}

/**
 * Local service discovery (BEP 14) on the interfaces that are allowed: says by multicast which torrents are here, a packet a
 * minute at most and each torrent every five, and hears what others say. Whoever is not on a network of these interfaces
 * is not listened to.
 */
import { randomBytes } from 'node:crypto'
import { createSocket, type RemoteInfo } from 'node:dgram'
import { once } from 'node:events'
import { BlockList } from 'node:net'
import type { NetworkInterfaceInfo } from 'node:os'
import { type Endpoint, endpoint, type Family } from '../../core/endpoint.ts'
import { type Millis, millis } from '../../core/types.ts'
import {
  decodeLocalAnnounce,
  encodeLocalAnnounce,
  LSD_GROUPS,
  LSD_PORT,
  MOST_HASHES_PER_PACKET,
} from '../local-discovery.ts'
import { Arrivals } from './arrivals.ts'
import type { Clock } from './clock.ts'
import type { SourceStanding } from './sought.ts'

const PACKET_PAUSE_MS = 60_000
const TORRENT_PAUSE_MS = 5 * 60_000

/** Packets a second: a network with hundreds of clients sends some. */
const LIMITS = { all: 50, each: 5 }

/** Not beyond this network's routers. */
const HOPS = 1

/** An interface's address, by its name, as `os.networkInterfaces` tells them. */
export interface LocalInterface extends Pick<NetworkInterfaceInfo, 'address' | 'cidr' | 'family'> {
  readonly name: string
}

export interface LocalPeersOptions {
  readonly interfaces: readonly LocalInterface[]
  /** Where peers are called. */
  readonly port: number
  readonly clock: Clock
  readonly log: (line: string) => void
}

interface Sought {
  readonly hash: Uint8Array
  readonly found: (peers: readonly Endpoint[]) => void
  heard: number
  at: Millis | undefined
}

/** The multicast group on one interface. */
export interface LocalLink {
  readonly family: Family
  send(packet: Uint8Array): void
  hear(onPacket: (packet: Uint8Array, from: Pick<RemoteInfo, 'address' | 'family'>) => void): void
  close(): void
}

export class LocalPeers {
  readonly #options: LocalPeersOptions
  readonly #cookie = randomBytes(4).toString('hex')
  readonly #links: readonly LocalLink[]
  readonly #networks: BlockList
  readonly #arrivals: Arrivals
  readonly #sought = new Map<string, Set<Sought>>()
  #lastPacket: Millis | undefined
  #cancel = (): void => {}

  constructor(options: LocalPeersOptions, links: readonly LocalLink[]) {
    this.#options = options
    this.#links = links
    this.#networks = networksOf(options.interfaces)
    this.#arrivals = new Arrivals(LIMITS, options.clock.now())
    for (const link of links) link.hear((packet, from) => this.#arrived(packet, from))
  }

  /** An interface that cannot do it is left out, with a line in the log. */
  static async open(options: LocalPeersOptions): Promise<LocalPeers> {
    const each = new Map(options.interfaces.map((one) => [`${one.name} ${one.family}`, one]))
    const links = await Promise.all(
      [...each.values()].map((each) =>
        join(each).catch((error: unknown) => {
          options.log(`no local discovery on ${each.name} (${each.address}): ${String(error)}`)
          return undefined
        }),
      ),
    )
    return new LocalPeers(
      options,
      links.filter((link) => link !== undefined),
    )
  }

  /** Says that the torrent is here, and hears who else has it. @param hash 20 bytes */
  seek(
    hash: Uint8Array,
    found: (peers: readonly Endpoint[]) => void,
  ): { standing(): SourceStanding; stop(): void } {
    const key = keyOf(hash)
    const sought: Sought = { hash, found, heard: 0, at: undefined }
    this.#sought.set(key, (this.#sought.get(key) ?? new Set()).add(sought))
    this.#plan()
    return {
      standing: () => this.#standing(sought),
      stop: () => {
        this.#sought.get(key)?.delete(sought)
        if (this.#sought.get(key)?.size === 0) this.#sought.delete(key)
      },
    }
  }

  stop(): void {
    this.#cancel()
    for (const link of this.#links) link.close()
    this.#sought.clear()
  }

  /** The next packet goes out when one may, and somebody is due. */
  #plan(): void {
    this.#cancel()
    const { clock } = this.#options
    const all = [...this.#sought.values()].flatMap((each) => [...each])
    if (all.length === 0 || this.#links.length === 0) return
    const due = Math.max(
      Math.min(...all.map(dueOf)),
      (this.#lastPacket ?? -PACKET_PAUSE_MS) + PACKET_PAUSE_MS,
    )
    this.#cancel = clock.after(Math.max(0, due - clock.now()), () => this.#say())
  }

  #say(): void {
    const { clock, port } = this.#options
    const now = clock.now()
    const due = [...this.#sought.values()]
      .flatMap((each) => [...each])
      .filter((each) => dueOf(each) <= now)
      .sort((a, b) => dueOf(a) - dueOf(b))
      .slice(0, MOST_HASHES_PER_PACKET)
    if (due.length > 0) {
      this.#lastPacket = now
      const infoHashes = [...new Map(due.map(({ hash }) => [keyOf(hash), hash])).values()]
      for (const link of this.#links)
        link.send(encodeLocalAnnounce(link.family, { port, infoHashes, cookie: this.#cookie }))
      for (const each of due) each.at = now
    }
    this.#plan()
  }

  #arrived(packet: Uint8Array, { address, family }: Pick<RemoteInfo, 'address' | 'family'>): void {
    const [host = ''] = address.split('%')
    if (!this.#networks.check(host, family === 'IPv6' ? 'ipv6' : 'ipv4')) return
    if (!this.#arrivals.admits(host, this.#options.clock.now())) return
    const announce = decodeLocalAnnounce(packet)
    if (announce === undefined || announce.cookie === this.#cookie) return
    const peer = endpoint(host, announce.port)
    if (peer === undefined) return
    for (const hash of announce.infoHashes)
      for (const sought of this.#sought.get(keyOf(hash)) ?? []) {
        sought.heard++
        sought.found([peer])
      }
  }

  #standing({ at, heard }: Sought): SourceStanding {
    return {
      kind: 'lsd',
      url: undefined,
      peers: heard,
      seeders: undefined,
      leechers: undefined,
      error: this.#links.length === 0 ? 'no interface for it' : undefined,
      at,
      next: at === undefined ? undefined : millis(at + TORRENT_PAUSE_MS),
    }
  }
}

const dueOf = ({ at }: Sought): number =>
  at === undefined ? Number.NEGATIVE_INFINITY : at + TORRENT_PAUSE_MS

const keyOf = (hash: Uint8Array): string => Buffer.from(hash).toString('hex')

async function join({ address, family: named, name }: LocalInterface): Promise<LocalLink> {
  const family = named === 'IPv6' ? 6 : 4
  const socket = createSocket({ type: `udp${family}`, reuseAddr: true, ipv6Only: family === 6 })
  try {
    socket.bind(LSD_PORT)
    await once(socket, 'listening')
    const via = family === 6 ? `::%${name}` : address
    socket.addMembership(LSD_GROUPS[family], via)
    socket.setMulticastInterface(via)
    socket.setMulticastTTL(HOPS)
  } catch (thrown) {
    socket.close()
    throw thrown
  }
  // an interface that is down for now is no reason to stop
  socket.on('error', () => {})
  return {
    family,
    send: (packet) => socket.send(packet, LSD_PORT, LSD_GROUPS[family], () => {}),
    hear: (onPacket) => socket.on('message', onPacket),
    close: () => socket.close(),
  }
}

function networksOf(interfaces: readonly LocalInterface[]): BlockList {
  const list = new BlockList()
  for (const { cidr, family } of interfaces) {
    const [address = '', bits = ''] = cidr?.split('/') ?? []
    if (bits !== '') list.addSubnet(address, Number(bits), family === 'IPv6' ? 'ipv6' : 'ipv4')
  }
  return list
}

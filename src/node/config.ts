/**
 * The configuration: every key with its default, its meaning and its check. `config.json` in the home
 * holds only what differs from the defaults.
 */
import { multiaddr } from '@multiformats/multiaddr'
import { printable } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import { exactRate, parseRate } from '../core/units.ts'
import { PUBLIC_BOOTSTRAP } from '../routing/bootstrap.ts'
import { PUBLIC_DHT } from '../torrent/discovery/public-nodes.ts'
import { isHostAndPort } from '../torrent/magnet.ts'
import { isTrackerUrl } from '../torrent/tracker-url.ts'
import { isGatewayUrl } from './content-url.ts'

export interface Config {
  /** Multiaddrs to listen on. */
  readonly listen: readonly string[]
  /** Multiaddrs to tell others instead of the ones found out. */
  readonly announce: readonly string[]
  /** Peers to join the public network by; empty (`none`) joins nobody. */
  readonly bootstrap: readonly string[]
  /** Bytes a second; 0 is unlimited. */
  readonly 'limits.up': number
  readonly 'limits.down': number
  /** Find peers on the local network by multicast DNS. */
  readonly 'discovery.mdns': boolean
  /** Part in the Kademlia DHTs: `auto` serves on the local network and asks on the public one. */
  readonly dht: 'auto' | 'server' | 'client' | 'off'
  /** Speak the share wire with other `share` nodes; without, they are served as any IPFS node is, by Bitswap. */
  readonly 'wire.share': boolean
  /** URLs of delegated routers (`/routing/v1` over HTTP) to ask who has something, beside the DHTs. */
  readonly 'routing.delegated': readonly string[]
  /** URLs of trustless HTTP gateways to fetch from, beside peers. */
  readonly 'sources.http': readonly string[]
  /** A multiaddr of the loopback interface on which the HTTP gateway listens, or `off`. */
  readonly gateway: string
  /** Ask the router to forward the port listened on (UPnP). */
  readonly 'reach.upnp': boolean
  /** Ask peers to dial this node, to learn which of its addresses work. */
  readonly 'reach.autonat': boolean
  /** Be reached through relays while nobody can dial this node. */
  readonly 'reach.relay': boolean
  /** Go on from a relay to a direct connection by hole punching. */
  readonly 'reach.punch': boolean
  /** Relay for others, within limits. */
  readonly 'relay.serve': boolean
  readonly 'transport.websocket': boolean
  readonly 'transport.quic': boolean
  /** A multiaddr on which BitTorrent clients are served, or `off`. */
  readonly 'torrent.listen': string
  /** A multiaddr on which pages for browsers are served, while there are any (`share page`), or `off`. */
  readonly 'pages.listen': string
  /** The URL by which others reach them, where it is not this machine's address: a proxy's, a forwarded port's; or `none`. */
  readonly 'pages.url': string
  /** URLs of trackers that are told of this node's shares, and stand in their torrents and links. */
  readonly 'torrent.trackers': readonly string[]
  /** Whether trackers on private addresses may be asked that torrents and links of others name. */
  readonly 'torrent.trackers.local': boolean
  /** Part in BitTorrent's DHT. */
  readonly 'torrent.dht': 'auto' | 'off'
  /** Nodes to join it by, `host:port`; with none there is no part in it. */
  readonly 'torrent.dht.bootstrap': readonly string[]
  /** Find BitTorrent peers on the local network by multicast. */
  readonly 'torrent.lsd': boolean
  /** Connections kept at most. */
  readonly 'peers.max': number
}

export type ConfigKey = keyof Config

/** A value, or the part of the text that is wrong. */
type Parsed<T> = { readonly value: T } | { readonly bad: string }

interface Rule<T> {
  readonly fallback: T
  /** What the value may be, as the end of the sentence "it takes …". */
  readonly accepts: string
  parse(text: string): Parsed<T>
  /** Text that `parse` reads back. */
  print(value: T): string
}

// a fixed port keeps forwarded ports and the records that others hold of this node valid over restarts
export const DEFAULT_PORT = 4141
const DEFAULT_LISTEN = [`/ip4/0.0.0.0/tcp/${DEFAULT_PORT}`, `/ip6/::/tcp/${DEFAULT_PORT}`]

// libp2p's own default: each connection costs memory and keep-alives, and a swarm needs a few dozen
const DEFAULT_PEERS = 300

const OFF = 'off'
const PUBLIC = 'public'

// the port that other IPFS gateways have
const DEFAULT_GATEWAY = '/ip4/127.0.0.1/tcp/8080'

// the first of BitTorrent's usual ports, on every network
const DEFAULT_TORRENT = '/ip4/0.0.0.0/tcp/6881'
const DEFAULT_PAGES = '/ip4/0.0.0.0/tcp/4180'

const NONE = 'none'

const RULES: { readonly [K in ConfigKey]: Rule<Config[K]> } = {
  listen: addresses(DEFAULT_LISTEN, isListenAddress, 'addresses such as /ip4/0.0.0.0/tcp/4141, or none'),
  announce: addresses([], isAddress, 'addresses such as /dns4/example.org/tcp/4141, or none'),
  bootstrap: addresses(
    PUBLIC_BOOTSTRAP,
    isPeerAddress,
    'addresses that end in /p2p/PEER-ID, or none, or default',
  ),
  'limits.up': rate(),
  'limits.down': rate(),
  'discovery.mdns': toggle(true),
  dht: choice(['auto', 'server', 'client', 'off']),
  'wire.share': toggle(true),
  'routing.delegated': addresses([], isGatewayUrl, 'URLs such as https://delegated-ipfs.dev, or none'),
  'sources.http': addresses([], isGatewayUrl, 'URLs such as https://trustless-gateway.link, or none'),
  gateway: loopback(),
  'reach.upnp': toggle(true),
  'reach.autonat': toggle(true),
  'reach.relay': toggle(true),
  'reach.punch': toggle(true),
  'relay.serve': toggle(false),
  'transport.websocket': toggle(true),
  'transport.quic': toggle(true),
  'torrent.listen': {
    fallback: OFF,
    accepts: `off, on (${DEFAULT_TORRENT}), or another address such as /ip4/127.0.0.1/tcp/6881`,
    parse: (text) => {
      const value = text === 'on' ? DEFAULT_TORRENT : text
      return value === OFF || tcpAddress(value) !== undefined ? { value } : { bad: text }
    },
    print: String,
  },
  'pages.listen': pagesListen(),
  'pages.url': pagesUrl(),
  'torrent.trackers': addresses(
    [],
    isTrackerUrl,
    'URLs such as udp://tracker.example:6969/announce, or none',
  ),
  'torrent.trackers.local': toggle(false),
  'torrent.dht': choice(['auto', 'off']),
  'torrent.dht.bootstrap': dhtNodes(),
  'torrent.lsd': toggle(false),
  'peers.max': count(DEFAULT_PEERS),
}

export const CONFIG_KEYS = Object.keys(RULES) as readonly ConfigKey[]

export const DEFAULT_CONFIG = Object.fromEntries(
  CONFIG_KEYS.map((key) => [key, RULES[key].fallback]),
) as unknown as Config

/** @throws ShareError BAD_CONFIG, naming the keys there are */
export function configKey(text: string): ConfigKey {
  const key = CONFIG_KEYS.find((known) => known === text)
  if (key !== undefined) return key
  throw new ShareError(
    'BAD_CONFIG',
    `unknown config key: ${printable(text)}`,
    `the keys are ${CONFIG_KEYS.join(', ')}`,
  )
}

/**
 * The configuration with one key set from text; `default` resets any key.
 * @throws ShareError BAD_CONFIG, saying what the key takes
 */
export function withSetting<K extends ConfigKey>(config: Config, key: K, text: string): Config {
  const rule: Rule<Config[K]> = RULES[key]
  const parsed = text.trim() === 'default' ? { value: rule.fallback } : rule.parse(text.trim())
  if ('bad' in parsed)
    throw new ShareError(
      'BAD_CONFIG',
      `bad value for ${key}: ${printable(parsed.bad)}`,
      `it takes ${rule.accepts}`,
    )
  return { ...config, [key]: parsed.value }
}

/** The value as `withSetting` takes it. */
export function settingText<K extends ConfigKey>(config: Config, key: K): string {
  const rule: Rule<Config[K]> = RULES[key]
  return rule.print(config[key])
}

function addresses(
  fallback: readonly string[],
  valid: (address: string) => boolean,
  accepts: string,
): Rule<readonly string[]> {
  return {
    fallback,
    accepts,
    parse: (text) => {
      if (text === 'none') return { value: [] }
      const list = text.split(/[\s,]+/).filter((part) => part !== '')
      const bad = list.length === 0 ? text : list.find((address) => !valid(address))
      return bad === undefined ? { value: list } : { bad }
    },
    print: (list) => {
      const text = list.length === 0 ? 'none' : list.join(' ')
      // the public peers are many, and a later version may know better ones
      return fallback.length > 2 && text === fallback.join(' ') ? 'default' : text
    },
  }
}

function dhtNodes(): Rule<readonly string[]> {
  const list = addresses([], isHostAndPort, 'nodes such as dht.example.org:6881, public, or none')
  return {
    ...list,
    parse: (text) => (text === PUBLIC ? { value: PUBLIC_DHT } : list.parse(text)),
    print: (nodes) => (nodes.join(' ') === PUBLIC_DHT.join(' ') ? PUBLIC : list.print(nodes)),
  }
}

function rate(): Rule<number> {
  return {
    fallback: 0,
    accepts: 'bytes a second such as 40MB, or unlimited',
    parse: (text) => {
      const value = parseRate(text)
      return value === undefined ? { bad: text } : { value }
    },
    print: exactRate,
  }
}

function toggle(fallback: boolean): Rule<boolean> {
  const words = new Map([
    ['on', true],
    ['true', true],
    ['off', false],
    ['false', false],
  ])
  return {
    fallback,
    accepts: 'on or off',
    parse: (text) => {
      const value = words.get(text)
      return value === undefined ? { bad: text } : { value }
    },
    print: (value) => (value ? 'on' : 'off'),
  }
}

function choice<T extends string>(options: readonly [T, ...T[]]): Rule<T> {
  return {
    fallback: options[0],
    accepts: `one of ${options.join(', ')}`,
    parse: (text) => {
      const value = options.find((option) => option === text)
      return value === undefined ? { bad: text } : { value }
    },
    print: (value) => value,
  }
}

function count(fallback: number): Rule<number> {
  return {
    fallback,
    accepts: 'a whole number from 1 to 100000',
    parse: (text) => (/^[1-9]\d{0,4}$|^100000$/.test(text) ? { value: Number(text) } : { bad: text }),
    print: String,
  }
}

function loopback(): Rule<string> {
  return {
    fallback: OFF,
    accepts: `off, on (${DEFAULT_GATEWAY}), or another address that only this machine reaches`,
    parse: (text) => {
      const value = text === 'on' ? DEFAULT_GATEWAY : text
      return value === OFF || gatewayAddress(value) !== undefined ? { value } : { bad: text }
    },
    print: String,
  }
}

function pagesListen(): Rule<string> {
  return {
    fallback: DEFAULT_PAGES,
    accepts: `off, or an address such as ${DEFAULT_PAGES}`,
    parse: (text) => (text === OFF || isTcpAddress(text) ? { value: text } : { bad: text }),
    print: String,
  }
}

function pagesUrl(): Rule<string> {
  return {
    fallback: NONE,
    accepts: 'a URL such as https://files.example.org or http://203.0.113.5:4180, or none',
    parse: (text) => (text === NONE || isGatewayUrl(text) ? { value: text } : { bad: text }),
    print: String,
  }
}

export interface HostAndPort {
  readonly host: string
  readonly port: number
}

/** Host and port of a `gateway` setting; undefined for `off`, and for what is no loopback address. */
export function gatewayAddress(setting: string): HostAndPort | undefined {
  const address = tcpAddress(setting)
  return address !== undefined && (address.host === '::1' || address.host.startsWith('127.'))
    ? address
    : undefined
}

/** Host and port of a setting such as `torrent.listen`; undefined for `off`. */
export function tcpAddress(setting: string): HostAndPort | undefined {
  if (!isTcpAddress(setting)) return undefined
  const [, , host = '', , port] = setting.split('/')
  return { host, port: Number(port) }
}

function isAddress(text: string): boolean {
  return protocols(text).length > 0
}

function isListenAddress(text: string): boolean {
  return /^ip[46]\/(tcp|tcp\/ws|udp\/quic-v1)$/.test(protocols(text).join('/'))
}

function isTcpAddress(text: string): boolean {
  return /^ip[46]\/tcp$/.test(protocols(text).join('/'))
}

function isPeerAddress(text: string): boolean {
  return protocols(text).includes('p2p')
}

function protocols(text: string): string[] {
  try {
    return multiaddr(text)
      .getComponents()
      .map((component) => component.name)
  } catch {
    return []
  }
}

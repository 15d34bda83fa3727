/**
 * A small internet in namespaces: a public segment, and homes behind routers of each kind that there is. Nothing leaves
 * the machine, although the addresses are such that programs take them for public ones; two runs do not see each other.
 *
 *     host 192.168.1.2 ── lan router wan 45.10.0.1 ──┐
 *     host 192.168.1.2 ── lan router wan 45.10.0.2 ──┼── bridge (the public segment) ── server 45.1.0.1, 46.1.0.1, …
 *     host 45.10.0.3 ────────────────────────────────┘
 *
 * Each home has a prefix of IPv6 of its own where its kind has IPv6, routed by the namespace of the bridge.
 */
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { output, Running } from '../../bench/processes.ts'

/**
 * Routers, by what they do to what goes out and what comes in:
 *
 *   | kind            | outside port                            | lets in                                    |
 *   |-----------------|-----------------------------------------|--------------------------------------------|
 *   | public          | no router                               | everything                                 |
 *   | full cone       | the same for everybody                  | everything, for the host                   |
 *   | port-restricted | the same for everybody                  | answers                                    |
 *   | symmetric       | another for each destination            | answers                                    |
 *   | upnp            | the same for everybody                  | answers, and what the host asks it to      |
 *   | nat-pmp         | the same for everybody                  | the same, asked in the other language      |
 *   | ipv6 only       | none: the host has a public address     | answers                                    |
 *   | websocket only  | the same for everybody; only HTTP's ports may be dialled | answers                   |
 */
export const KINDS = [
  'public',
  'full cone',
  'port-restricted',
  'symmetric',
  'upnp',
  'ipv6 only',
  'websocket only',
] as const

/** Differs from a router with UPnP in nothing but the language. */
const OTHER_LANGUAGE = 'nat-pmp'

export type Kind = (typeof KINDS)[number] | typeof OTHER_LANGUAGE

/** Routers that give ports, run by miniupnpd. */
const GIVING: ReadonlySet<Kind> = new Set(['upnp', OTHER_LANGUAGE])

/** A place where a program runs. */
export interface Host {
  readonly namespace: string
  readonly kind: Kind
  /** Its router's namespace; its own where it has none. */
  readonly router: string
  /** The address that the world sees, of IPv4 where it has that. */
  readonly outside: string
  /** Its address of IPv6, or its router's. */
  readonly outside6: string
}

/** How far from the world a home is, one way, and which part of the packets is lost on the way. */
export interface Distance {
  readonly ms: number
  readonly loss: number
}

/** Bits a second of a home's link, both ways. */
export const LINK_BITS = 50_000_000

const FAR = fileURLToPath(new URL('far.py', import.meta.url))

const GATEWAY6 = '2a00:1::fe'

export class Internet {
  readonly #name = `s${randomBytes(2).toString('hex')}`
  readonly #namespaces: string[] = []
  readonly #daemons: Running[] = []
  readonly #hub: string
  #homes = 0

  private constructor() {
    this.#hub = `${this.#name}hub`
  }

  /** The public segment alone. As root only. */
  static async layOut(): Promise<Internet> {
    const internet = new Internet()
    await internet.#namespace('hub')
    await ip(internet.#hub, [
      'link set dev lo up',
      'link add name net0 type bridge',
      'link set dev net0 up',
      `addr add ${GATEWAY6}/32 dev net0 nodad`,
    ])
    await sysctl(internet.#hub, ['net.ipv6.conf.all.forwarding=1'])
    return internet
  }

  /** A machine in the public segment, whose link is not limited. */
  async server(address: string): Promise<Host> {
    const number = ++this.#homes
    const namespace = await this.#namespace(`srv${number}`)
    await this.#plugIn(namespace, 'wan')
    await publicAddress(namespace, address, number)
    return { namespace, kind: 'public', router: namespace, outside: address, outside6: sixOf(number) }
  }

  async home(kind: Kind, distance?: Distance): Promise<Host> {
    const number = ++this.#homes
    const outside = `45.10.${number}.1`
    const outside6 = sixOf(number)
    const namespace = await this.#namespace(`h${number}`)
    if (kind === 'public') {
      await this.#plugIn(namespace, 'wan', LINK_BITS, distance)
      await publicAddress(namespace, outside, number)
      return { namespace, kind, router: namespace, outside, outside6 }
    }
    const router = await this.#namespace(`r${number}`)
    await this.#plugIn(router, 'wan', LINK_BITS, distance)
    await publicAddress(router, outside, number)
    await ip(router, [
      `link add name lan type veth peer name net netns ${namespace}`,
      'link set dev lan up',
      'link set dev lo up',
    ])
    await ip(namespace, ['link set dev lo up', 'link set dev net up'])
    await sysctl(router, ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'])
    if (kind === 'ipv6 only') await this.#sixOnly(namespace, router, number)
    else await fourOnly(namespace, router)
    await nft(router, rules(kind))
    if (GIVING.has(kind)) await this.#portGiver(kind, router, outside)
    return { namespace, kind, router, outside, outside6 }
  }

  /** Machines on one network that leads nowhere. */
  async lan(count: number): Promise<Host[]> {
    const hosts: Host[] = []
    for (let at = 1; at <= count; at++) {
      const namespace = await this.#namespace(`l${at}`)
      const address = `192.168.7.${at}`
      await this.#plugIn(namespace, 'net')
      await ip(namespace, [`addr add ${address}/24 dev net`, 'route add 224.0.0.0/4 dev net'])
      hosts.push({ namespace, kind: 'public', router: namespace, outside: address, outside6: '' })
    }
    return hosts
  }

  /** Gives a home another address in its network, as a machine gets that changes from cable to wireless. */
  async move({ namespace }: Host): Promise<void> {
    await ip(namespace, [
      'addr del 192.168.1.2/24 dev net',
      'addr add 192.168.1.77/24 dev net',
      'route add default via 192.168.1.1',
    ])
  }

  /** Starts a program there that stays until `remove`. */
  run(
    host: Host,
    command: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Running {
    const running = new Running('ip', ['netns', 'exec', host.namespace, command, ...args], { env })
    this.#daemons.push(running)
    return running
  }

  /** Ends all programs, and removes all that was laid out. */
  async remove(): Promise<void> {
    await Promise.all(this.#daemons.map((daemon) => daemon.stop().catch(() => undefined)))
    for (const namespace of this.#namespaces) await output('ip', ['netns', 'del', namespace]).catch(() => '')
  }

  async #namespace(name: string): Promise<string> {
    const namespace = `${this.#name}${name}`
    await output('ip', ['netns', 'add', namespace])
    this.#namespaces.push(namespace)
    await sysctl(namespace, ['net.ipv6.conf.all.accept_dad=0', 'net.ipv6.conf.default.accept_dad=0'])
    return namespace
  }

  /** A cable from there to the public segment. */
  async #plugIn(namespace: string, device: string, bits?: number, distance?: Distance): Promise<void> {
    const port = `p${namespace.slice(this.#name.length)}`
    if (distance === undefined)
      await ip(this.#hub, [`link add name ${port} type veth peer name ${device} netns ${namespace}`])
    else await this.#stretch([this.#hub, port, namespace, device], distance)
    await ip(this.#hub, [`link set dev ${port} master net0 up`])
    await ip(namespace, ['link set dev lo up', `link set dev ${device} up`])
    if (bits === undefined) return
    const shaped = (name: string): string =>
      `qdisc add dev ${name} root tbf rate ${bits}bit burst 64kb limit ${Math.round(bits / 8 / 20)}`
    await output('tc', ['-n', this.#hub, '-batch', '-'], shaped(port))
    await output('tc', ['-n', namespace, '-batch', '-'], shaped(device))
  }

  async #stretch(ends: readonly string[], { ms, loss }: Distance): Promise<void> {
    const cable = new Running('python3', [FAR, ...ends, ...[ms, loss, this.#homes].map(String)])
    this.#daemons.push(cable)
    await cable.line(/^ready$/)
  }

  async #sixOnly(namespace: string, router: string, number: number): Promise<void> {
    const prefix = `2a01:${number.toString(16)}`
    await ip(router, [`addr add ${prefix}::1/64 dev lan nodad`])
    await ip(namespace, [`addr add ${prefix}::2/64 dev net nodad`, `route add default via ${prefix}::1`])
    await ip(this.#hub, [`route add ${prefix}::/64 via ${sixOf(number)}`])
  }

  async #portGiver(kind: Kind, router: string, outside: string): Promise<void> {
    const config = `/tmp/${router}.conf`
    const lines = [
      'ext_ifname=wan',
      ...Object.entries(GIVEN_PLACES).map(([setting, name]) => `upnp_${setting}=${name}`),
      'listening_ip=lan',
      `ext_ip=${outside}`,
      `enable_natpmp=${kind === OTHER_LANGUAGE ? 'yes' : 'no'}`,
      `enable_upnp=${kind === OTHER_LANGUAGE ? 'no' : 'yes'}`,
      'secure_mode=yes',
      'system_uptime=yes',
      'notify_interval=30',
      `uuid=00000000-0000-0000-0000-${randomBytes(6).toString('hex')}`,
      'allow 1024-65535 0.0.0.0/0 1024-65535',
      'deny 0-65535 0.0.0.0/0 0-65535',
    ]
    await writeFile(config, `${lines.join('\n')}\n`)
    this.#daemons.push(
      new Running('ip', [
        'netns',
        'exec',
        router,
        'miniupnpd',
        '-d',
        '-f',
        config,
        '-P',
        `/tmp/${router}.pid`,
      ]),
    )
  }
}

/** Keeps a home and an address in the world apart; what goes through others is let pass. Returns how to end that. */
export async function keepApart({ router }: Host, other: string): Promise<() => Promise<void>> {
  await nft(
    router,
    `table inet apart {
      chain through {
        type filter hook forward priority -10;
        ip saddr ${other} drop
        ip daddr ${other} drop
      }
    }`,
  )
  return async () => {
    await nft(router, 'delete table inet apart')
  }
}

/** Nothing leaves or reaches a host, and nobody is told. Returns how to end that. */
export async function cutOff({ namespace }: Host): Promise<() => Promise<void>> {
  const drop = (hook: string, side: string): string =>
    `chain ${hook} {\n type filter hook ${hook} priority -10\n ${side} != lo drop\n }`
  await nft(namespace, `table inet cut {\n ${drop('input', 'iifname')}\n ${drop('output', 'oifname')}\n }`)
  return async () => {
    await nft(namespace, 'delete table inet cut')
  }
}

/** The cable of a home's machine is out for that long. */
export async function pull({ namespace }: Host, ms: number): Promise<void> {
  await ip(namespace, ['link set dev net down'])
  await new Promise((resolve) => setTimeout(resolve, ms))
  await ip(namespace, ['link set dev net up', 'route add default via 192.168.1.1'])
}

/** The router is off for that long, and has forgotten all connections then. */
export async function reboot({ router, outside6 }: Host, ms: number): Promise<void> {
  // masqueraded connections are forgotten with their device
  await ip(router, ['link set dev wan down'])
  await new Promise((resolve) => setTimeout(resolve, ms))
  await ip(router, [
    'link set dev wan up',
    'route add default dev wan',
    `addr add ${outside6}/32 dev wan nodad`,
    `route add default via ${GATEWAY6}`,
  ])
}

async function fourOnly(namespace: string, router: string): Promise<void> {
  await ip(router, ['addr add 192.168.1.1/24 dev lan'])
  await ip(namespace, ['addr add 192.168.1.2/24 dev net', 'route add default via 192.168.1.1'])
}

const sixOf = (number: number): string => `2a00:1:${number.toString(16)}::1`

async function publicAddress(namespace: string, address: string, number: number): Promise<void> {
  await ip(namespace, [
    `addr add ${address}/32 dev wan`,
    'route add default dev wan',
    `addr add ${sixOf(number)}/32 dev wan nodad`,
    `route add default via ${GATEWAY6}`,
  ])
}

/** Where miniupnpd puts what it is asked for: chains that it wants to find. */
const GIVEN_PLACES = {
  table_name: 'filter',
  forward_chain: 'upnp_forward',
  nat_table_name: 'upnp',
  nat_chain: 'upnp_prerouting',
  nat_postrouting_chain: 'upnp_postrouting',
}

const GIVING_RULES = `
table inet filter {
  chain upnp_forward { }
}
table inet upnp {
  chain upnp_prerouting { }
  chain upnp_postrouting { }
  chain prerouting {
    type nat hook prerouting priority dstnat;
    jump upnp_prerouting
  }
  chain postrouting {
    type nat hook postrouting priority srcnat - 1;
    jump upnp_postrouting
  }
}
`

/** What strangers send is dropped, as home routers do: an answer of theirs would end the dial that it crosses. */
function rules(kind: Kind): string {
  const forward =
    kind === 'websocket only' ? 'iifname lan tcp dport { 80, 443 } accept' : 'iifname lan accept'
  const inward = kind === 'full cone' ? 'iifname wan ip daddr 192.168.1.2 accept' : ''
  const dnat = kind === 'full cone' ? 'iifname wan meta l4proto { tcp, udp } dnat to 192.168.1.2' : ''
  const source = kind === 'symmetric' ? 'masquerade random,fully-random' : 'masquerade'
  return `
table inet filter {
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    ct status dnat accept
    ${forward}
    ${inward}
  }
  chain input {
    type filter hook input priority 0; policy drop;
    ct state established,related accept
    iifname { lan, lo } accept
    meta l4proto { icmp, ipv6-icmp } accept
  }
}
table ip nat {
  chain prerouting {
    type nat hook prerouting priority dstnat;
    ${dnat}
  }
  chain postrouting {
    type nat hook postrouting priority srcnat;
    oifname wan ${source}
  }
}
${GIVING.has(kind) ? GIVING_RULES : ''}`
}

const ip = (namespace: string, lines: readonly string[]): Promise<string> =>
  output('ip', ['-n', namespace, '-batch', '-'], lines.join('\n'))

const nft = (namespace: string, text: string): Promise<string> =>
  output('ip', ['netns', 'exec', namespace, 'nft', '-f', '-'], text)

const sysctl = (namespace: string, settings: readonly string[]): Promise<string> =>
  output('ip', ['netns', 'exec', namespace, 'sysctl', '-q', '-w', ...settings])

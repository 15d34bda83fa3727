/**
 * A network of its own for every run: one namespace a peer, a veth pair from each to a bridge in one more namespace,
 * and both directions of each link shaped by `tc tbf`: what the peer sends where it leaves the peer's end, what it is
 * sent where it leaves the bridge's end. Nothing leaves the machine, and two runs do not see each other.
 */
import type { Link } from './cases.ts'
import { RUN } from './leftovers.ts'
import { output } from './processes.ts'

/**
 * Ms of traffic that a full link holds before it drops: what a home router or a managed switch port holds, and the
 * delay that control messages of a busy uplink then meet. More would be bufferbloat, less would starve TCP.
 */
const QUEUE_MS = 50

/**
 * Ms of traffic that may pass at once after an idle time. A bucket must hold the largest packet: a 100 Mbit/s link's
 * holds one of 64 KiB, which the kernel passes around uncut; a slower link's less, for which its packets are limited.
 */
const BURST_MS = 6

/** A bucket holds a few full frames at least. */
const LEAST_BURST = 7500

/** Bytes of headers that a packet of 64 KiB gets when it is cut into frames, all told, with room to spare. */
const HEADERS = 4096

const MOST_GSO = 65_536

/** What ordinary machines use; the one that this machine happens to prefer would be measured otherwise. */
const CONGESTION_CONTROL = 'cubic'

const NET = '10.99.0.0/16'

/** The peer's end of its link. */
const DEVICE = 'net0'

export interface NetworkPeer {
  /** Name of the namespace. */
  readonly namespace: string
  /** IPv4. */
  readonly address: string
}

export interface Network {
  readonly peers: readonly NetworkPeer[]
  /**
   * Bytes that each peer has sent since its link was laid, as frames on the wire: the shaper's counter knows the headers
   * of every frame that a large packet is cut into, the interface's does not.
   */
  sent(): Promise<number[]>
}

/** As root only. The namespaces stay until `removeNamespaces`. */
export async function layOut(links: readonly Link[]): Promise<Network> {
  const hub = `${RUN}hub`
  const peers = links.map((link, at) => ({
    link,
    namespace: `${RUN}${at}`,
    port: `p${at}`,
    address: `10.99.${Math.floor(at / 200)}.${(at % 200) + 1}`,
  }))
  await ip([], [`netns add ${hub}`, ...peers.map(({ namespace }) => `netns add ${namespace}`)])
  await Promise.all([hub, ...peers.map(({ namespace }) => namespace)].map(setKernel))
  await ip(['-n', hub], ['link add name bridge0 type bridge', 'link set dev bridge0 up'])
  await ip(
    [],
    peers.map(
      ({ namespace, port }) =>
        `link add name ${DEVICE} netns ${namespace} type veth peer name ${port} netns ${hub}`,
    ),
  )
  await ip(
    ['-n', hub],
    peers.map(({ port }) => `link set dev ${port} master bridge0 up`),
  )
  await tc(
    ['-n', hub],
    peers.map(({ port, link }) => shaper(port, link.down)),
  )
  for (const { namespace, address, link } of peers) {
    await ip(
      ['-n', namespace],
      [
        'link set dev lo up',
        `addr add ${address}/16 dev ${DEVICE} noprefixroute`,
        `link set dev ${DEVICE} gso_max_size ${Math.min(MOST_GSO, burst(link.up) - HEADERS)}`,
        `link set dev ${DEVICE} up`,
        // the setting of a namespace takes only what the machine allows to everyone
        `route add ${NET} dev ${DEVICE} src ${address} congctl ${CONGESTION_CONTROL}`,
      ],
    )
    await tc(['-n', namespace], [shaper(DEVICE, link.up)])
  }
  return { peers, sent: () => Promise.all(peers.map(({ namespace }) => sentBy(namespace))) }
}

const burst = (rate: number): number => Math.max(LEAST_BURST, Math.round((rate * BURST_MS) / 1000))

/** `limit` and not `latency`: the latter counts from a full bucket, and a busy link's is empty. */
function shaper(device: string, rate: number): string {
  const limit = Math.round((rate * QUEUE_MS) / 1000)
  return `qdisc add dev ${device} root tbf rate ${rate * 8}bit burst ${burst(rate)} limit ${limit}`
}

/** No IPv6, whose housekeeping would be counted. */
async function setKernel(namespace: string): Promise<void> {
  const settings = ['net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1']
  await output('ip', ['netns', 'exec', namespace, 'sysctl', '-q', '-w', ...settings])
}

async function sentBy(namespace: string): Promise<number> {
  const text = await output('tc', ['-n', namespace, '-s', '-j', 'qdisc', 'show', 'dev', DEVICE])
  const [counted] = JSON.parse(text) as { kind: string; bytes: number }[]
  if (counted?.kind !== 'tbf') throw new Error(`the link of ${namespace} is not shaped`)
  return counted.bytes
}

const ip = (options: readonly string[], lines: readonly string[]): Promise<string> =>
  output('ip', [...options, '-batch', '-'], lines.join('\n'))

const tc = (options: readonly string[], lines: readonly string[]): Promise<string> =>
  output('tc', [...options, '-batch', '-'], lines.join('\n'))

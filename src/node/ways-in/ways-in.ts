/**
 * The ways by which others reach this node, and it reaches them, as the configuration has them: each is a package of
 * libp2p, loaded when it is on. On loopback there is no way in to look for, and none is: nothing is asked, mapped or
 * announced there.
 */
import { multiaddr } from '@multiformats/multiaddr'
import type { Libp2pOptions, ServiceFactoryMap } from 'libp2p'
import { ShareError } from '../../core/errors.ts'
import { overridden } from '../../core/overridden.ts'
import type { Config } from '../config.ts'
import { reachOf } from '../reach.ts'
import { holePunching } from './hole-punching.ts'
import { natPmp } from './nat-pmp-gateway.ts'
import { OutsideView } from './outside-view.ts'
import { ReachabilityWatch } from './reachability.ts'
import { relayListener } from './relay-listener.ts'
import { RELAY_LIMITS, RelayDoor } from './relay-server.ts'
import { SharedPort } from './shared-port.ts'

type Transports = NonNullable<Libp2pOptions['transports']>
type Services = ServiceFactoryMap<Record<string, unknown>>

/**
 * libp2p would walk the network at random to meet relays, and peers to be dialled by. Those that are met anyway are
 * enough, and while nobody is there the walk goes round without a pause.
 */
const NOWHERE = { async *walk() {} }

export interface WaysIn {
  readonly transports: Transports
  readonly services: Services
  /** Addresses to listen on, without those of transports that are not there. */
  readonly listen: string[]
  readonly reachability: ReachabilityWatch
  /** Asked by the relay, where this node is one. */
  readonly door: RelayDoor | undefined
  /** What was to be there and is not, and why. */
  readonly missing: readonly string[]
  /** What was found out before the network changed holds no more. */
  forget(): void
}

/** Nobody but this machine can come in. */
export function isAlone({ listen, announce }: Pick<Config, 'listen' | 'announce'>): boolean {
  const reaches = [...listen, ...announce].map((address) => reachOf(multiaddr(address)) ?? 'world')
  return reaches.length > 0 && reaches.every((reach) => reach === 'machine')
}

export async function waysIn(config: Config): Promise<WaysIn> {
  const port = new SharedPort()
  const outside = new OutsideView(port)
  const transports: Transports = [port.transport()]
  const reachability = new ReachabilityWatch(outside, port)
  const services: Services = { reachability: reachability.service() }
  const missing: string[] = []
  const alone = isAlone(config)
  if (config['transport.websocket'] && (!alone || config.listen.some((address) => address.endsWith('/ws')))) {
    const { webSockets } = await import('@libp2p/websockets')
    transports.push(webSockets())
  }
  const quic = config['transport.quic'] && !alone && (await addQuic(transports, missing))
  const door = config['relay.serve'] ? await addRelayServer(services) : undefined
  if (config['reach.relay'] && !alone) await addRelayClient(transports, services)
  if (!alone) services.outside = outside.service()
  if (config['reach.punch'] && !alone) services.holePunching = await holePunching(outside)
  if (config['reach.autonat'] && !alone) services.autonat = await addressChecks()
  if (config['reach.upnp'] && !alone) Object.assign(services, await portMapping())
  const listen = config.listen.filter((address) => quic || !address.includes('/quic-v1'))
  const forget = (): void => {
    outside.forget()
    reachability.forget()
  }
  return { transports, services, listen, reachability, door, missing, forget }
}

async function addRelayClient(transports: Transports, services: Services): Promise<void> {
  const { circuitRelayTransport } = await import('@libp2p/circuit-relay-v2')
  const make = circuitRelayTransport()
  transports.push((components) => make(overridden(components, { randomWalk: NOWHERE })))
  services.relayListener = relayListener()
}

async function addRelayServer(services: Services): Promise<RelayDoor> {
  const { circuitRelayServer } = await import('@libp2p/circuit-relay-v2')
  services.relay = circuitRelayServer(RELAY_LIMITS)
  return new RelayDoor()
}

/** Installed by whoever wants it: its addon is not had for every system, and npm installs all of a lockfile or nothing. */
const QUIC_PACKAGE: string = '@chainsafe/libp2p-quic'

async function addQuic(transports: Transports, missing: string[]): Promise<boolean> {
  try {
    const { quic }: { quic(): Transports[number] } = await import(QUIC_PACKAGE)
    transports.push(quic())
    return true
  } catch (thrown) {
    missing.push(`QUIC (npm install ${QUIC_PACKAGE}): ${ShareError.from(thrown).message}`)
    return false
  }
}

/**
 * Asks peers to dial this node, and dials those that ask. libp2p's would take the connection that a peer asks on for
 * the answer to its dial, and then close it: the dial is made to be one of its own.
 */
async function addressChecks(): Promise<Services[string]> {
  const { autoNAT } = await import('@libp2p/autonat')
  const make = autoNAT()
  return (components) => {
    const { connectionManager } = components
    const openConnection: typeof connectionManager.openConnection = (target, options) =>
      connectionManager.openConnection(target, { ...options, force: true })
    return make(
      overridden(components, {
        randomWalk: NOWHERE,
        connectionManager: overridden(connectionManager, { openConnection }),
      }),
    )
  }
}

/** A router that speaks both gives the same port twice. */
async function portMapping(): Promise<Services> {
  const { uPnPNAT } = await import('@libp2p/upnp-nat')
  // a router that maps a port of its public address is believed, until peers who dial it say otherwise
  const settings = { portMappingDescription: 'share', autoConfirmAddress: true }
  return { upnp: uPnPNAT(settings), natPmp: uPnPNAT({ ...settings, portMappingClient: natPmp() }) }
}

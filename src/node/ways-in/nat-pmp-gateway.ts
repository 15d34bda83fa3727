/**
 * A router that is asked for ports by NAT-PMP, as libp2p's mapper wants its gateways. The socket is connected to the router:
 * nobody else's messages arrive. A port is asked for again at half its time; a router that was restarted has forgotten it.
 */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { UPnPNATClient } from '@libp2p/upnp-nat'
import { defaultRouters } from './default-routers.ts'
import {
  addressRequest,
  decodeReply,
  type MappingRequest,
  mappingRequest,
  NAT_PMP_PORT,
  type Reply,
  type Transport,
} from './nat-pmp.ts'

type Gateway = Awaited<ReturnType<UPnPNATClient['getGateway']>>
type Mapping = Awaited<ReturnType<Gateway['map']>>

/** Pauses before a request is sent again, in ms (RFC 6886, 3.1); after the last the router is taken to be silent. */
const PATIENCE_MS = [250, 500, 1_000, 2_000]

/** For how long a port is asked for, in s: what a router that was restarted has forgotten is back in half of it. */
const LIFETIME = 1_200

interface Mapped {
  /** With the port that was given, once one was. */
  request: MappingRequest
  readonly renewal: NodeJS.Timeout
}

/** For libp2p's `uPnPNAT`, which looks for gateways again and again. */
export function natPmp(): UPnPNATClient {
  const found = new Set<string>()
  return {
    async *findGateways() {
      for (const host of await defaultRouters()) {
        const gateway = found.has(host) ? undefined : await NatPmpGateway.open(host)
        if (gateway === undefined) continue
        found.add(host)
        yield gateway
      }
    },
    getGateway: () => Promise.reject(new Error('NAT-PMP has no descriptors')),
  }
}

export class NatPmpGateway implements Gateway {
  readonly host: string
  readonly port: number
  readonly family = 'IPv4'
  readonly #socket: Socket
  /** What is asked; one question after the other. */
  #last: Promise<unknown> = Promise.resolve()
  readonly #mapped = new Map<string, Mapped>()

  private constructor(socket: Socket, host: string, port: number) {
    this.#socket = socket
    this.host = host
    this.port = port
  }

  /** Undefined where no router answers there. */
  static async open(host: string, port = NAT_PMP_PORT): Promise<NatPmpGateway | undefined> {
    const socket = createSocket('udp4').unref()
    // such as a router that refuses the port, or an address that nothing leads to
    socket.on('error', () => {})
    socket.connect(port, host)
    const gateway = new NatPmpGateway(socket, host, port)
    try {
      await once(socket, 'connect')
      await gateway.externalIp()
      return gateway
    } catch {
      socket.close()
      return undefined
    }
  }

  get id(): string {
    return `nat-pmp:${this.host}`
  }

  /** @throws Error where the router gives none, or `internalHost` is not the address by which this machine reaches it */
  async map(
    internalPort: number,
    internalHost: string,
    { protocol = 'TCP', externalPort = internalPort }: { protocol?: string; externalPort?: number } = {},
  ): Promise<Mapping> {
    if (internalHost !== this.#socket.address().address)
      throw new Error(`${this.host} gives ports to ${this.#socket.address().address} alone`)
    const transport: Transport = protocol.toLowerCase() === 'udp' ? 'udp' : 'tcp'
    const externalHost = await this.externalIp()
    const given = await this.#ask({ transport, internalPort, externalPort, seconds: LIFETIME })
    return {
      externalHost,
      externalPort: given,
      internalHost,
      internalPort,
      protocol: transport === 'udp' ? 'UDP' : 'TCP',
    }
  }

  async *mapAll(internalPort: number, options?: { protocol?: string }): AsyncGenerator<Mapping, void> {
    yield await this.map(internalPort, this.#socket.address().address, options)
  }

  async unmap(internalPort: number): Promise<void> {
    const ours = [...this.#mapped.values()].filter(({ request }) => request.internalPort === internalPort)
    await Promise.all(ours.map(({ request }) => this.#ask({ ...request, externalPort: 0, seconds: 0 })))
  }

  async externalIp(): Promise<string> {
    const reply = await this.#exchange(addressRequest(), 'address')
    if (!('host' in reply)) throw new Error('no address')
    return reply.host
  }

  /** The ports are given back, whether the router is still there or not. */
  async stop(): Promise<void> {
    for (const { request, renewal } of this.#mapped.values()) {
      clearTimeout(renewal)
      const message = mappingRequest({ ...request, externalPort: 0, seconds: 0 })
      await new Promise((resolve) => this.#socket.send(message, resolve))
    }
    this.#mapped.clear()
    this.#socket.close()
  }

  /** Asks for a port, and again before its time is over. Returns the port. */
  async #ask(request: MappingRequest): Promise<number> {
    const { transport, internalPort, seconds } = request
    const key = `${transport} ${internalPort}`
    clearTimeout(this.#mapped.get(key)?.renewal)
    this.#mapped.delete(key)
    if (seconds > 0) this.#mapped.set(key, this.#renewed(request))
    const reply = await this.#exchange(mappingRequest(request), transport)
    if (!('externalPort' in reply)) throw new Error('no port')
    const { externalPort } = reply
    const mapped = this.#mapped.get(key)
    if (mapped !== undefined) mapped.request = { ...request, externalPort }
    return externalPort
  }

  #renewed(request: MappingRequest): Mapped {
    const again = (): void => void this.#ask(mapped.request).catch(() => undefined)
    const renewal = setTimeout(again, (request.seconds / 2) * 1000).unref()
    const mapped: Mapped = { request, renewal }
    return mapped
  }

  #exchange(message: Buffer, to: Reply['to']): Promise<Reply> {
    const reply = this.#last.catch(() => undefined).then(() => this.#repeat(message, to))
    this.#last = reply
    return reply
  }

  async #repeat(message: Buffer, to: Reply['to']): Promise<Reply> {
    for (const ms of PATIENCE_MS) {
      this.#socket.send(message)
      const reply = await this.#replyWithin(to, ms)
      if (reply === undefined) continue
      if ('refused' in reply) throw new Error(reply.refused)
      return reply
    }
    throw new Error(`${this.host} is silent`)
  }

  #replyWithin(to: Reply['to'], ms: number): Promise<Reply | undefined> {
    return new Promise((resolve) => {
      const end = (reply?: Reply): void => {
        clearTimeout(late)
        this.#socket.off('message', listen)
        resolve(reply)
      }
      const late = setTimeout(end, ms)
      const listen = (bytes: Buffer): void => {
        const reply = decodeReply(bytes)
        if (reply?.to === to) end(reply)
      }
      this.#socket.on('message', listen)
    })
  }
}

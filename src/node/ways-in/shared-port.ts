/**
 * TCP whose dials into the world leave from one local port. A home router gives one local port one outside port,
 * whomever it speaks to (unless it is symmetric), so what the others see of these dials is where they can be met by
 * hole punching. The port is not the one listened on, which Node cannot share with dials. Two dials to one address
 * cannot leave from one port: the second takes any.
 */
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Connection, Transport } from '@libp2p/interface'
import { type TCPDialOptions, tcp } from '@libp2p/tcp'
import type { Multiaddr } from '@multiformats/multiaddr'
import { errno } from '../../core/errors.ts'
import { reachOf } from '../reach.ts'

type TcpComponents = Parameters<ReturnType<typeof tcp>>[0]

/** Somebody has this pair of addresses already, or had it a minute ago. */
const IN_USE = new Set(['EADDRINUSE', 'EADDRNOTAVAIL', 'EACCES'])

/** libp2p's options reach `net.connect`, which takes more than the types say. */
type PortOptions = TCPDialOptions & { readonly localPort?: number }

export class SharedPort {
  readonly #port: Promise<number>
  /** Connections that left from it. */
  readonly #connections = new WeakSet<Connection>()

  constructor() {
    this.#port = freePort()
    this.#port.catch(() => undefined)
  }

  get number(): Promise<number> {
    return this.#port
  }

  has(connection: Connection): boolean {
    return this.#connections.has(connection)
  }

  /** For libp2p's `transports`. */
  transport(): (components: TcpComponents) => Transport {
    return (components) => {
      const transport = tcp()(components)
      const dial = transport.dial.bind(transport)
      transport.dial = async (address: Multiaddr, options: TCPDialOptions) => {
        if (reachOf(address) !== 'world') return await dial(address, options)
        return await this.#dial(dial, address, options)
      }
      return transport
    }
  }

  async #dial(dial: Transport['dial'], address: Multiaddr, options: TCPDialOptions): Promise<Connection> {
    try {
      const from: PortOptions = { ...options, localPort: await this.#port }
      const connection = await dial(address, from)
      this.#connections.add(connection)
      return connection
    } catch (thrown) {
      if (!IN_USE.has(errno(thrown) ?? '')) throw thrown
      return await dial(address, options)
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0)
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port is free')
  return address.port
}

/**
 * The UDP socket as the DHT library sees it. What arrives is counted, checked and made anew; an answer gets through only if
 * it comes from where a question went, under the number that the question had, which nobody can guess. The ids of those who
 * ask are kept back: they may be forged, so such a node is asked itself before it is remembered.
 */
import { randomBytes } from 'node:crypto'
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { EventEmitter, once } from 'node:events'
import { bytesAt } from '../../core/bencode.ts'
import { type Endpoint, endpoint, endpointText } from '../../core/endpoint.ts'
import { Arrivals } from './arrivals.ts'
import type { Clock } from './clock.ts'
import {
  type Answer,
  answeredTo,
  askedAs,
  type DhtMessage,
  forLibrary,
  notUnderstood,
  type Query,
  readDhtMessage,
  readOwn,
} from './dht-messages.ts'

/** Datagrams a second: a node in the public DHT gets some dozens, one lookup of ours some dozens more. */
const LIMITS = { all: 500, each: 50 }

/** Questions that wait for an answer; the library has 16 under way and gives each up after 2 s. */
const MOST_OPEN = 1024

const TRANSACTION_BYTES = 4

interface DhtSocketEvents {
  // as those of a `dgram.Socket`, for the library
  message: [packet: Uint8Array, from: RemoteInfo]
  listening: []
  close: []
  /** Somebody asked, who can be asked too. */
  newcomer: [node: Endpoint]
  /** Somebody answered, and says how he sees us. */
  seen: [from: string, seen: Endpoint]
}

export class DhtSocket extends EventEmitter<DhtSocketEvents> {
  readonly #socket: Socket
  readonly #clock: Clock
  readonly #arrivals: Arrivals
  /** By whom was asked and under which number: the number that the library gave it. */
  readonly #open = new Map<string, Uint8Array>()
  #closed = false

  private constructor(socket: Socket, clock: Clock) {
    super()
    this.#socket = socket
    this.#clock = clock
    this.#arrivals = new Arrivals(LIMITS, clock.now())
    socket.on('message', (packet, from) => this.#arrived(packet, from))
    // of one that was sent to: not this socket's end
    socket.on('error', () => {})
  }

  /** @throws the system's error, such as EADDRINUSE */
  static async open({ host, port }: Endpoint, clock: Clock): Promise<DhtSocket> {
    const socket = createSocket('udp4')
    socket.bind(port, host)
    try {
      await once(socket, 'listening')
    } catch (thrown) {
      socket.close()
      throw thrown
    }
    return new DhtSocket(socket, clock)
  }

  address(): { port: number } {
    return this.#socket.address()
  }

  /** As the library calls it: the whole buffer goes out. */
  send(
    packet: Uint8Array,
    _offset: number,
    _length: number,
    port: number,
    host: string,
    done: (error: Error | null) => void,
  ): void {
    const target = endpoint(host, port)
    if (this.#closed || target === undefined || host.includes(':')) {
      done(null)
      return
    }
    const { fields, asks } = readOwn(packet)
    const bytes = asks
      ? askedAs(fields, this.#ask(target, bytesAt(fields, 't') ?? new Uint8Array(0)))
      : answeredTo(fields, target)
    this.#socket.send(bytes, port, host, done)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#socket.close(() => this.emit('close'))
  }

  #ask(target: Endpoint, number: Uint8Array): Uint8Array {
    const transaction = randomBytes(TRANSACTION_BYTES)
    this.#open.set(keyOf(target, transaction), number)
    // those never answered, oldest first
    if (this.#open.size > MOST_OPEN) this.#open.delete(this.#open.keys().next().value ?? '')
    return transaction
  }

  #arrived(packet: Uint8Array, from: RemoteInfo): void {
    const sender = endpoint(from.address, from.port)
    if (this.#closed || sender === undefined) return
    if (!this.#arrivals.admits(sender.host, this.#clock.now())) return
    const message = readDhtMessage(packet, sender.host)
    if (message !== undefined) this.#take(message, sender, from)
  }

  #take(message: DhtMessage, sender: Endpoint, from: RemoteInfo): void {
    switch (message.kind) {
      case 'unknown':
        this.#socket.send(notUnderstood(message), sender.port, sender.host, () => {})
        return
      case 'query':
        this.#asked(message, sender, from)
        return
      case 'answer':
      case 'refusal': {
        const key = keyOf(sender, message.transaction)
        const number = this.#open.get(key)
        if (number === undefined) return
        this.#open.delete(key)
        if (message.kind === 'answer') this.#seen(message, sender)
        this.emit('message', forLibrary(message, number), from)
      }
    }
  }

  #asked(query: Query, sender: Endpoint, from: RemoteInfo): void {
    this.emit('message', forLibrary(query, query.transaction), from)
    if (!query.readOnly) this.emit('newcomer', sender)
  }

  #seen({ seen }: Answer, { host }: Endpoint): void {
    if (seen !== undefined) this.emit('seen', host, seen)
  }
}

function keyOf(node: Endpoint, transaction: Uint8Array): string {
  return `${endpointText(node)} ${Buffer.from(transaction).toString('hex')}`
}

/**
 * A TLS socket as libp2p's stream of bytes. What the socket gives in pieces of 16 KiB is handed on together, once in
 * each turn of the event loop, and what is sent in one go is written as one: for every piece costs an event in each
 * layer above, and every write a record, a system call and a packet.
 */
import type { TLSSocket } from 'node:tls'
import type { AbortOptions, MessageStream } from '@libp2p/interface'
import { AbstractMessageStream, type SendResult } from '@libp2p/utils'
import { Uint8ArrayList } from 'uint8arraylist'
import { asError } from '../core/errors.ts'

/** Bytes that are handed on without waiting for the end of the turn. */
const MOST_GATHERED = 512 << 10

export class SecureStream extends AbstractMessageStream {
  /** What the bytes travel over, encrypted. */
  readonly #transport: MessageStream
  readonly #socket: TLSSocket
  #gathered = new Uint8ArrayList()
  #turn: NodeJS.Immediate | undefined
  #corked = false
  /** Ends when the transport has closed after the socket. */
  #closing: Promise<void> | undefined

  /** `direction` is the handshake's: of two that dial each other at once, one acts as if it had been dialled. */
  constructor(transport: MessageStream, socket: TLSSocket, direction: MessageStream['direction']) {
    const { log, inactivityTimeout, maxReadBufferLength } = transport
    super({ log, inactivityTimeout, maxReadBufferLength, direction })
    this.#transport = transport
    this.#socket = socket
    if (socket.closed) this.#closing = Promise.resolve()
    socket.on('data', (bytes) => this.#gather(bytes))
    socket.on('error', (error) => transport.abort(error))
    socket.on('drain', () => this.safeDispatchEvent('drain'))
    socket.on('close', () => {
      this.#closing = transport.close().catch((error: unknown) => transport.abort(asError(error)))
    })
    transport.addEventListener('close', ({ error, local }) => {
      socket.destroy()
      this.#handOn()
      if (error === undefined) this.onTransportClosed()
      else if (local === true) this.abort(error)
      else this.onRemoteReset()
    })
  }

  override sendData(data: Uint8ArrayList): SendResult {
    this.#cork()
    let canSendMore = true
    for (const bytes of data) canSendMore = this.#socket.write(bytes)
    return { sentBytes: data.byteLength, canSendMore }
  }

  override sendReset(error: Error): void {
    this.#socket.destroy()
    this.#transport.abort(error)
  }

  override sendPause(): void {
    this.#socket.pause()
  }

  override sendResume(): void {
    this.#socket.resume()
  }

  override async close(options?: AbortOptions): Promise<void> {
    if (this.#closing === undefined) {
      const closed = new Promise((resolve) => this.#socket.once('close', resolve))
      this.#socket.destroySoon()
      await raced(closed, options?.signal)
    }
    await this.#closing
  }

  #gather(bytes: Uint8Array): void {
    this.#gathered.append(bytes)
    if (this.#gathered.byteLength >= MOST_GATHERED) this.#handOn()
    else this.#turn ??= setImmediate(() => this.#handOn())
  }

  #handOn(): void {
    clearImmediate(this.#turn)
    this.#turn = undefined
    const gathered = this.#gathered
    if (gathered.byteLength === 0) return
    this.#gathered = new Uint8ArrayList()
    this.onData(gathered)
  }

  #cork(): void {
    if (this.#corked) return
    this.#corked = true
    this.#socket.cork()
    process.nextTick(() => {
      this.#corked = false
      this.#socket.uncork()
    })
  }
}

async function raced(promise: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) {
    await promise
    return
  }
  signal.throwIfAborted()
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => reject(signal.reason)
  signal.addEventListener('abort', onAbort)
  try {
    await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

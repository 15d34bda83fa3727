/**
 * libp2p's TLS on the operating system's socket. The library's own puts Node's TLS on a stream written in JavaScript,
 * so that every encrypted byte passes through that both ways, which is most of what a transfer costs; here Node reads
 * and writes the socket itself, and only plain bytes come by. Certificates, their check and what is said on the wire
 * are the library's. What comes over another transport than TCP is left to it.
 */
import { Socket } from 'node:net'
import { connect, TLSSocket } from 'node:tls'
import type {
  ConnectionEncrypter,
  MessageStream,
  PeerId,
  SecureConnectionOptions,
  SecuredConnection,
  StreamMuxerFactory,
} from '@libp2p/interface'
import { type TLSComponents, tls } from '@libp2p/tls'
import { generateCertificate, verifyPeerCertificate } from '@libp2p/tls/utils'
import { Uint8ArrayList } from 'uint8arraylist'
import { asError } from '../core/errors.ts'
import { SecureStream } from './secure-stream.ts'

/** Said where both know no muxer in common; one is agreed on later then. */
const NO_MUXER = 'libp2p'

/** Written and not yet taken by the system, before the streams are told to wait. */
const HIGH_WATER = 512 << 10

export function socketTls(): (components: TLSComponents) => ConnectionEncrypter {
  return (components) => new SocketTls(components)
}

class SocketTls implements ConnectionEncrypter {
  readonly protocol: string
  readonly #components: TLSComponents
  readonly #library: ConnectionEncrypter
  /** For all connections, and as long as this runs: making one costs more than a handshake. */
  #certificate: ReturnType<typeof generateCertificate> | undefined

  constructor(components: TLSComponents) {
    this.#components = components
    this.#library = tls()(components)
    this.protocol = this.#library.protocol
  }

  async secureInbound(
    connection: MessageStream,
    options: SecureConnectionOptions = {},
  ): Promise<SecuredConnection> {
    const socket = socketOf(connection)
    if (socket === undefined) return this.#library.secureInbound(connection, options)
    const settings = await this.#settings(options)
    let chosen: string | undefined
    const ALPNCallback = ({ protocols }: { protocols: string[] }): string | undefined => {
      chosen = protocols.find((protocol) => settings.ALPNProtocols.includes(protocol))
      return chosen
    }
    await takeOver(connection, socket)
    const secure = new TLSSocket(socket, { ...settings, ALPNCallback, isServer: true, requestCert: true })
    endTogether(socket, secure)
    return this.#secured(connection, 'inbound', secure, options, () => chosen)
  }

  async secureOutbound(
    connection: MessageStream,
    options: SecureConnectionOptions = {},
  ): Promise<SecuredConnection> {
    const socket = socketOf(connection)
    if (socket === undefined) return this.#library.secureOutbound(connection, options)
    const settings = await this.#settings(options)
    await takeOver(connection, socket)
    const secure = connect({ ...settings, socket })
    endTogether(socket, secure)
    return this.#secured(connection, 'outbound', secure, options, () => secure.alpnProtocol || undefined)
  }

  async #settings(options: SecureConnectionOptions) {
    this.#certificate ??= generateCertificate(this.#components.privateKey)
    const muxers = options.skipStreamMuxerNegotiation === true ? [] : this.#muxers.keys()
    return {
      ...(await this.#certificate),
      minVersion: 'TLSv1.3',
      maxVersion: 'TLSv1.3',
      // certificates are signed by their owners; who they are is checked below
      rejectUnauthorized: false,
      highWaterMark: HIGH_WATER,
      ALPNProtocols: [...muxers, NO_MUXER],
    } as const
  }

  async #secured(
    connection: MessageStream,
    direction: MessageStream['direction'],
    secure: TLSSocket,
    { signal, remotePeer: expected }: SecureConnectionOptions,
    protocol: () => string | undefined,
  ): Promise<SecuredConnection> {
    // an error ends the handshake, or the stream; between the two nobody listens
    secure.on('error', () => {})
    try {
      const remotePeer = await handshake(secure, expected, signal)
      const streamMuxer = this.#muxer(protocol())
      return {
        connection: new SecureStream(connection, secure, direction),
        remotePeer,
        ...(streamMuxer === undefined ? {} : { streamMuxer }),
      }
    } catch (thrown) {
      const error = asError(thrown)
      secure.destroy()
      connection.abort(error)
      throw error
    }
  }

  get #muxers(): ReadonlyMap<string, StreamMuxerFactory> {
    return this.#components.upgrader.getStreamMuxers()
  }

  #muxer(protocol: string | undefined): StreamMuxerFactory | undefined {
    return protocol === undefined ? undefined : this.#muxers.get(protocol)
  }
}

/** The socket of a TCP connection, which the library keeps to itself. */
function socketOf(connection: MessageStream): Socket | undefined {
  const socket = 'socket' in connection ? connection.socket : undefined
  return socket instanceof Socket ? socket : undefined
}

/**
 * The library closes the socket, which then has to be done from above: what waits is written out first, and a handle
 * that is taken away from under TLS crashes the process (Node 24).
 */
function endTogether(socket: Socket, secure: TLSSocket): void {
  const destroy = socket.destroy.bind(socket)
  socket.destroySoon = () => secure.destroySoon()
  // TLS destroys the socket in its turn
  socket.destroy = (error) => {
    if (secure.destroyed) return destroy(error)
    secure.destroy(error)
    return socket
  }
  socket.resetAndDestroy = () => socket.destroy()
}

/** From here on the socket is not read by the connection any more; what that has read ahead is put back. */
async function takeOver(connection: MessageStream, socket: Socket): Promise<void> {
  socket.removeAllListeners('data')
  socket.pause()
  const ahead = new Uint8ArrayList()
  const onMessage = ({ data }: { data: Uint8Array | Uint8ArrayList }): void => ahead.append(data)
  connection.addEventListener('message', onMessage)
  // given out in a microtask
  await Promise.resolve()
  connection.removeEventListener('message', onMessage)
  if (ahead.byteLength > 0) socket.unshift(ahead.subarray())
}

/** Who is at the other end. @throws when that is not who was expected, or nobody proves to be anybody */
async function handshake(
  secure: TLSSocket,
  expected: PeerId | undefined,
  signal: AbortSignal | undefined,
): Promise<PeerId> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const onAbort = (): void => reject(new Error('the handshake took too long'))
  const onClose = (): void => reject(new Error('the connection was closed during the handshake'))
  secure.once('secure', resolve).once('error', reject).once('close', onClose)
  signal?.addEventListener('abort', onAbort)
  try {
    signal?.throwIfAborted()
    await promise
    return await verifyPeerCertificate(secure.getPeerCertificate().raw, expected)
  } finally {
    secure.off('secure', resolve).off('error', reject).off('close', onClose)
    signal?.removeEventListener('abort', onAbort)
  }
}

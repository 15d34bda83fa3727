/** A small BitTorrent tracker on loopback, over HTTP (BEP 3, 23) and UDP (BEP 15): both tell of the same peers. */
import { randomBytes } from 'node:crypto'
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { encodeBencode } from '../../src/core/bencode.ts'
import { type Endpoint, endpointText, packEndpoints } from '../../src/core/endpoint.ts'

const INTERVAL_S = 60
const CONNECT = 0
const ANNOUNCE = 1
const EVENTS = ['', 'completed', 'started', 'stopped'] as const

/** One announce, as it came. */
export interface Announced {
  readonly over: 'http' | 'udp'
  /** Hex. */
  readonly infoHash: string
  readonly peerId: string
  readonly event: string
  readonly left: number
  readonly peer: Endpoint
}

export class Tracker {
  readonly announced: Announced[] = []
  readonly #http: Server
  readonly #udp: Socket
  readonly #swarms = new Map<string, Map<string, Endpoint>>()
  readonly #connections = new Set<string>()

  private constructor(http: Server, udp: Socket) {
    this.#http = http
    this.#udp = udp
  }

  /** Ends with the test. */
  static async open(t: TestContext, host = '127.0.0.1'): Promise<Tracker> {
    const http = createServer()
    const udp = createSocket('udp4')
    const tracker = new Tracker(http, udp)
    http.on('request', (request, response) => {
      const body = tracker.#byHttp(request.url ?? '', request.socket.remoteAddress ?? '')
      response.writeHead(body === undefined ? 404 : 200).end(body)
    })
    udp.on('message', (packet, from) => tracker.#byUdp(packet, from))
    http.listen(0, host)
    udp.bind(0, host)
    await Promise.all([once(http, 'listening'), once(udp, 'listening')])
    t.after(() => {
      http.closeAllConnections()
      http.close()
      udp.close()
    })
    return tracker
  }

  get httpUrl(): string {
    const { address, port } = this.#http.address() as AddressInfo
    return `http://${address}:${port}/announce`
  }

  get udpUrl(): string {
    const { address, port } = this.#udp.address()
    return `udp://${address}:${port}/announce`
  }

  #byHttp(target: string, host: string): Uint8Array | undefined {
    const [path, query = ''] = target.split('?')
    if (path !== '/announce') return undefined
    const fields = new Map(query.split('&').map((pair) => pair.split('=') as [string, string]))
    // these are bytes, which no URL parser gives
    const raw = (name: string): Buffer =>
      Buffer.from(
        (fields.get(name) ?? '').replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
          String.fromCharCode(Number.parseInt(hex, 16)),
        ),
        'latin1',
      )
    const peers = this.#announce({
      over: 'http',
      infoHash: raw('info_hash').toString('hex'),
      peerId: raw('peer_id').toString('latin1'),
      event: fields.get('event') ?? '',
      left: Number(fields.get('left')),
      peer: { host, port: Number(fields.get('port')) },
    })
    return encodeBencode({ interval: INTERVAL_S, complete: peers.length, peers: packEndpoints(peers, 4) })
  }

  #byUdp(packet: Buffer, { address, port }: RemoteInfo): void {
    const reply = (action: number, body: Uint8Array): void => {
      const head = Buffer.alloc(8)
      head.writeUInt32BE(action, 0)
      packet.copy(head, 4, 12, 16)
      this.#udp.send(Buffer.concat([head, body]), port, address)
    }
    const action = packet.readUInt32BE(8)
    if (action === CONNECT && packet.length === 16) {
      const id = randomBytes(8)
      this.#connections.add(id.toString('hex'))
      reply(CONNECT, id)
      return
    }
    if (action !== ANNOUNCE || !this.#connections.has(packet.toString('hex', 0, 8))) return
    const peers = this.#announce({
      over: 'udp',
      infoHash: packet.toString('hex', 16, 36),
      peerId: packet.toString('latin1', 36, 56),
      event: EVENTS[packet.readUInt32BE(80)] ?? 'unknown',
      left: Number(packet.readBigUInt64BE(64)),
      peer: { host: address, port: packet.readUInt16BE(96) },
    })
    const counts = Buffer.alloc(12)
    counts.writeUInt32BE(INTERVAL_S, 0)
    counts.writeUInt32BE(peers.length, 8)
    reply(ANNOUNCE, Buffer.concat([counts, packEndpoints(peers, 4)]))
  }

  /** The others of its swarm. */
  #announce(announced: Announced): Endpoint[] {
    this.announced.push(announced)
    const { infoHash, peer, event } = announced
    const swarm = this.#swarms.get(infoHash) ?? new Map<string, Endpoint>()
    this.#swarms.set(infoHash, swarm)
    if (event === 'stopped') swarm.delete(endpointText(peer))
    else swarm.set(endpointText(peer), peer)
    return [...swarm.values()].filter((each) => endpointText(each) !== endpointText(peer))
  }
}

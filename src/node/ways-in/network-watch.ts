/**
 * Notices what TCP takes minutes to: that this machine has moved to another network, or that a peer which is to send
 * has gone, and its router with it. Such connections are cut, and everybody who wants the peer dials it again.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { networkInterfaces } from 'node:os'
import type { Connection, Libp2p } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { bestConnection } from '../../exchange/open-stream.ts'
import { reachOf } from '../reach.ts'

/** How often it looks, in ms. */
const LOOK_MS = 4_000

/** A peer that has sent nothing at so many looks in a row is asked whether it is there, and given this long, in ms. */
const SILENT_LOOKS = 2
const ANSWER_MS = 8_000

const PING = '/ipfs/ping/1.0.0'
const PING_BYTES = 32

export interface NetworkWatchContext {
  readonly libp2p: Libp2p
  /** Peers that are to send something, and do not. */
  silent(): Iterable<string>
  /** The addresses of this machine changed. */
  onMoved(): void
  readonly log: (line: string) => void
}

export class NetworkWatch {
  readonly #context: NetworkWatchContext
  readonly #timer: NodeJS.Timeout
  /** For how many looks each has been silent. */
  #silent = new Map<string, number>()
  #own = ownAddresses()

  constructor(context: NetworkWatchContext) {
    this.#context = context
    this.#timer = setInterval(() => this.#look(), LOOK_MS)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const own = ownAddresses()
    if (own !== this.#own) this.#moved()
    this.#own = own
    const silent = new Map<string, number>()
    for (const peer of this.#context.silent()) {
      const looks = (this.#silent.get(peer) ?? 0) + 1
      silent.set(peer, looks)
      if (looks % (SILENT_LOOKS + ANSWER_MS / LOOK_MS) === SILENT_LOOKS) void this.#ask(peer)
    }
    this.#silent = silent
  }

  /** Connections out of a network that this machine has left carry nothing more, and those that stay are few. */
  #moved(): void {
    const { libp2p, onMoved, log } = this.#context
    log('the addresses of this machine changed: connections out of its networks are made again')
    for (const connection of libp2p.getConnections()) {
      if (reachOf(connection.remoteAddr) === 'machine') continue
      connection.abort(new Error('this machine is in another network'))
    }
    onMoved()
  }

  async #ask(peer: string): Promise<void> {
    const { libp2p, log } = this.#context
    const connections = libp2p.getConnections(peerIdFromString(peer))
    const asked = bestConnection(connections)
    if (asked === undefined || (await answers(asked)) || !this.#silent.has(peer)) return
    log(`${peer} does not answer any more: its connections are cut`)
    for (const connection of connections) connection.abort(new Error('the peer does not answer'))
  }
}

/** libp2p's ping, on this connection and no other. */
async function answers(connection: Connection): Promise<boolean> {
  const signal = AbortSignal.timeout(ANSWER_MS)
  try {
    const stream = await connection.newStream(PING, { signal, runOnLimitedConnection: true })
    stream.send(randomBytes(PING_BYTES))
    const answer = await once(stream, 'message', { signal }).then(
      () => true,
      () => false,
    )
    stream.abort(new Error('answered'))
    return answer
  } catch {
    return false
  }
}

/** Of those that may lead out of this machine, in one text; link-local ones come and go. */
function ownAddresses(): string {
  return Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .filter(({ internal, scopeid }) => !internal && !scopeid)
    .map(({ address }) => address)
    .sort()
    .join(' ')
}

/**
 * The share wire as one of the scheduler's wires: answers what its connections ask of this node, and keeps the peers
 * of a swarm in touch with each other.
 */
import type { PeerKey, RootKey } from '../core/types.ts'
import type { Pieces } from '../exchange/peer-wire/connection.ts'
import type { PeerWireAction, PeerWireHost } from '../exchange/peer-wire/host.ts'
import type { PeerNews } from '../exchange/peer-wire/peer-news.ts'
import type { PeerWire } from '../exchange/peer-wire/peer-wire.ts'
import type { Store } from '../store/types.ts'
import type { SwarmEvent } from '../swarm/events.ts'
import type { ArrivingPieces } from './arriving-pieces.ts'
import type { BitswapWire } from './bitswap-wire.ts'
import type { Joining } from './joining.ts'
import type { PeerExchange } from './peer-exchange.ts'
import type { Seeding } from './seeding.ts'
import type { SwarmDriver } from './swarm-driver.ts'
import type { Traffic } from './traffic.ts'

export interface ShareWireContext {
  readonly store: Store
  readonly driver: SwarmDriver
  readonly arriving: ArrivingPieces
  readonly bitswap: BitswapWire
  readonly seeding: Seeding
  readonly traffic: Traffic
  readonly joining: Joining
}

export class ShareWire implements PeerWireHost {
  readonly #context: ShareWireContext
  #wire: PeerWire | undefined
  #exchange: PeerExchange | undefined

  constructor(context: ShareWireContext) {
    this.#context = context
  }

  /** They call back into this, so they come second; without them, the wire is switched off. */
  attach(wire: PeerWire, exchange: PeerExchange): void {
    this.#wire = wire
    this.#exchange = exchange
  }

  async stop(): Promise<void> {
    this.#exchange?.stop()
    await this.#wire?.stop()
  }

  // --- what the node asks of the wire

  async speaks(peer: PeerKey): Promise<boolean> {
    return (await this.#wire?.speaks(peer)) ?? false
  }

  /** False when the peer does not speak it. */
  async open(root: RootKey, peer: PeerKey): Promise<boolean> {
    return (await this.#wire?.open(root, peer)) ?? false
  }

  act(action: PeerWireAction): void {
    this.#wire?.act(action)
  }

  /** The manifest of this root is complete. */
  counted(root: RootKey): void {
    this.#wire?.counted(root)
  }

  close(root: RootKey): void {
    this.#wire?.close(root)
    this.#exchange?.closed(root)
  }

  drop(peer: PeerKey): void {
    this.#wire?.drop(peer)
  }

  /** Bytes that wait for the disk; too many stop the reading of all streams. */
  holdBytes(bytes: number): void {
    this.#wire?.hold(bytes)
  }

  releaseBytes(bytes: number): void {
    this.#wire?.release(bytes)
  }

  // --- what the wire asks of the node

  dispatch(event: SwarmEvent): void {
    const { driver, joining, traffic, store } = this.#context
    if (event.type === 'joined') this.#leaveBitswap(event.root, event.peer)
    driver.dispatch(event)
    switch (event.type) {
      case 'joined':
        joining.joined(event.root, event.peer)
        this.#exchange?.joined(event.root, event.peer)
        return
      case 'left':
        joining.left(event.root, event.peer)
        this.#exchange?.left(event.root, event.peer)
        return
      case 'arrived':
        traffic.downloaded(event.root, event.peer, event.length)
        store.count(event.root, { downloaded: event.length })
        return
    }
  }

  admits(peer: PeerKey, root: RootKey): Promise<boolean> {
    const { driver, seeding } = this.#context
    return driver.isBanned(peer) ? Promise.resolve(false) : seeding.trades(root)
  }

  pieces(root: RootKey): Pieces | undefined {
    const swarm = this.#context.driver.swarms.get(root)
    return swarm?.final === true ? { sizes: swarm.pieces.blockSizes, have: swarm.have } : undefined
  }

  keep(root: RootKey, peer: PeerKey, piece: number, begin: number, data: Uint8Array): void {
    const { arriving, driver } = this.#context
    const swarm = driver.swarms.get(root)
    if (swarm?.download !== undefined) arriving.keep(swarm, peer, piece, begin, data)
  }

  async read(root: RootKey, piece: number): Promise<Uint8Array | undefined> {
    const swarm = this.#context.driver.swarms.get(root)
    return swarm && (this.#context.arriving.recent.lend(root, piece) ?? swarm.read(piece))
  }

  release(_root: RootKey, block: Uint8Array): void {
    this.#context.arriving.recent.release(block)
  }

  onSent(root: RootKey, peer: PeerKey, bytes: number): void {
    this.#context.traffic.uploaded(root, peer, bytes)
    this.#context.store.count(root, { uploaded: bytes })
  }

  onPeers(root: RootKey, from: PeerKey, news: PeerNews): void {
    this.#exchange?.heard(root, from, news)
  }

  /** One wire at a time: what was asked for by the other is taken back. */
  #leaveBitswap(root: RootKey, peer: PeerKey): void {
    const { bitswap, driver } = this.#context
    if (driver.swarms.get(root)?.members.get(peer) === 'bitswap') bitswap.leave(root, peer)
  }
}

/** Two peers that know each other. What each of them has of the other is its end: a wire, and a lane for pieces. */
import type { PeerKey, RootKey } from '../core/types.ts'
import type { SwarmEvent, Wire as WireKind } from '../swarm/events.ts'
import type { Clock } from './clock.ts'
import type { Disk } from './disk.ts'
import type { Inbox } from './inbox.ts'
import { Lane, type Shipment } from './lane.ts'
import type { Message, Notice } from './messages.ts'
import type { Link, Network } from './network.ts'
import type { Addressee, Post } from './post.ts'
import type { Tally } from './tally.ts'
import type { Wire } from './wire.ts'
import { BitswapWire } from './wire-bitswap.ts'
import { BittorrentWire } from './wire-bittorrent.ts'
import { ShareWire } from './wire-share.ts'

/** The peer that an end belongs to. */
export interface Owner {
  readonly key: PeerKey
  readonly root: RootKey
  readonly wire: WireKind
  readonly up: Link
  readonly down: Link
  /** Whether it sends pieces, and whether they are what they should be. */
  readonly sends: boolean
  readonly genuine: boolean
  readonly disk: Disk
  readonly inbox: Inbox
  has(piece: number): boolean
  claims(piece: number): boolean
  size(piece: number): number
  dispatch(event: SwarmEvent): void
  /** Something is in its inbox that comes first. */
  heed(): void
  /** Reads what is in it by now. */
  catchUp(): void
  /** Tells what the other end has not heard yet. */
  tellNews(end: End): void
  /** Bytes have left on its uplink. */
  uploaded(bytes: number): void
  lost(end: End): void
}

export interface Medium {
  readonly partBytes: number
  readonly clock: Clock
  readonly network: Network
  readonly post: Post
  readonly tally: Tally
}

export class End implements Addressee {
  readonly owner: Owner
  readonly connection: Connection
  readonly lane: Lane
  readonly wire: Wire
  readonly kind: WireKind
  /** Of the pieces that the owner stored, so many were told the other. */
  told = 0
  /** What is told gets through. */
  reaches = true
  #other: End | undefined
  /** The other's, for notices. */
  #inbox: Inbox | undefined
  readonly #latency: number

  constructor(owner: Owner, peer: Owner, connection: Connection) {
    const { network, partBytes } = connection.medium
    this.owner = owner
    this.connection = connection
    this.kind = connection.kind
    this.#latency = connection.latency
    this.lane = new Lane({
      network,
      up: owner.up,
      down: peer.down,
      partBytes,
      left: (shipment, begin, length) => this.#left(shipment, begin, length),
    })
    this.wire = wireOf(connection.kind, this)
  }

  get other(): End {
    if (this.#other === undefined) throw new Error('an end alone')
    return this.#other
  }

  get peer(): PeerKey {
    return this.other.owner.key
  }

  attach(other: End): void {
    this.#other = other
    this.#inbox = other.owner.inbox
  }

  /** Messages keep their order, and take with them what was not worth one of its own. */
  tell(message: Message): void {
    this.owner.tellNews(this)
    this.post(message)
  }

  post(message: Message): void {
    const { medium, latency } = this.connection
    medium.tally.messages[message.type]++
    medium.post.send(this.other, message, latency)
  }

  /** Tells the scheduler at the other end something that need not be read at once. */
  notify(notice: Notice, now: number): void {
    if (this.reaches && this.#inbox?.put(notice, now + this.#latency) === true) this.other.owner.heed()
  }

  receive(message: Message): void {
    this.owner.catchUp()
    if (this.connection.state === 'open') this.wire.receive(message)
    else this.miss(message)
  }

  miss(message: Message): void {
    if (message.type === 'data') this.connection.medium.tally.cut += message.length
  }

  #left(shipment: Shipment, begin: number, length: number): void {
    const { genuine } = this.owner
    this.connection.medium.tally.sent += length
    this.tell({ type: 'data', piece: shipment.piece, begin, length, genuine })
    this.wire.left(shipment, length)
    this.owner.uploaded(length)
  }
}

/** `silent`: nothing gets through and nobody has noticed yet. */
type ConnectionState = 'open' | 'silent' | 'closed'

export class Connection {
  readonly medium: Medium
  /** One way, in ms. */
  readonly latency: number
  readonly kind: WireKind
  readonly ends: readonly [End, End]
  state: ConnectionState = 'open'

  constructor(medium: Medium, latency: number, [one, two]: readonly [Owner, Owner]) {
    this.medium = medium
    this.latency = latency
    this.kind = one.wire === 'share' ? two.wire : one.wire
    this.ends = [new End(one, two, this), new End(two, one, this)]
    const [first, second] = this.ends
    first.attach(second)
    second.attach(first)
  }

  /** Nothing gets through from now on. */
  silence(): void {
    if (this.state !== 'open') return
    this.state = 'silent'
    for (const end of this.ends) {
      end.reaches = false
      end.lane.pause(true)
    }
  }

  /** Both ends lose each other: `by` at once, the other a latency later. */
  close(by: Owner): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    for (const end of this.ends) {
      end.reaches = false
      end.lane.close()
      const delay = end.owner === by ? 0 : this.latency
      this.medium.clock.after(delay, () => end.owner.lost(end))
    }
  }
}

function wireOf(kind: WireKind, end: End): Wire {
  switch (kind) {
    case 'share':
      return new ShareWire(end)
    case 'bittorrent':
      return new BittorrentWire(end)
    case 'bitswap':
      return new BitswapWire(end)
  }
}

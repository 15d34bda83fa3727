/**
 * Two peers that know each other. Each has its end: what it wants of the other, what the other wants of it, as
 * Bitswap's want list and ledger keep it, and the lane on which it sends pieces. Messages take the latency.
 */
import type { PeerKey } from '../core/types.ts'
import type { Clock } from './clock.ts'
import { Lane } from './lane.ts'
import type { Message } from './messages.ts'
import type { Link, Network } from './network.ts'
import type { Post } from './post.ts'
import type { Tally } from './tally.ts'

/** What is wanted of a piece: nothing, to know whether it is there, or its bytes. */
export const NOTHING = 0
export const PRESENCE = 1
export const BYTES = 2

/** A piece on its way. */
export interface Transfer {
  readonly piece: number
  readonly size: number
  readonly genuine: boolean
}

/** The peer that an end belongs to. */
export interface Owner {
  readonly key: PeerKey
  readonly up: Link
  readonly down: Link
  receive(end: End, message: Message): void
  /** Bytes have left on its uplink. */
  uploaded(bytes: number): void
  /** Part of a piece that takes long. */
  progressed(end: End): void
  arrived(end: End, transfer: Transfer): void
  sent(end: End, transfer: Transfer): void
  lost(end: End, unsent: readonly Transfer[]): void
}

export interface Medium {
  readonly clock: Clock
  readonly network: Network
  readonly post: Post
  readonly tally: Tally
}

export class End {
  readonly owner: Owner
  readonly connection: Connection
  readonly lane: Lane
  /** By piece: what the owner wants of the other, and the other of the owner. */
  readonly wants: Uint8Array
  readonly ledger: Uint8Array

  #other: End

  constructor(owner: Owner, connection: Connection, pieces: number) {
    this.owner = owner
    this.#other = this
    this.connection = connection
    this.lane = new Lane(this)
    this.wants = new Uint8Array(pieces)
    this.ledger = new Uint8Array(pieces)
  }

  /** Known once both ends are there. */
  get other(): End {
    return this.#other
  }

  attach(other: End): void {
    this.#other = other
  }

  tell(message: Message): void {
    const { medium, latency } = this.connection
    medium.tally.told(message.type)
    medium.post.send(this.other, message, latency)
  }
}

/** `silent`: nothing gets through and nobody has noticed yet. */
type ConnectionState = 'open' | 'silent' | 'closed'

export class Connection {
  readonly medium: Medium
  /** One way, in ms. */
  readonly latency: number
  readonly ends: readonly [End, End]
  state: ConnectionState = 'open'

  constructor(medium: Medium, latency: number, pieces: number, owners: readonly [Owner, Owner]) {
    this.medium = medium
    this.latency = latency
    this.ends = [new End(owners[0], this, pieces), new End(owners[1], this, pieces)]
    const [first, second] = this.ends
    first.attach(second)
    second.attach(first)
  }

  /** Nothing gets through from now on. */
  silence(): void {
    if (this.state !== 'open') return
    this.state = 'silent'
    for (const end of this.ends) end.lane.pause(true)
  }

  /** Both ends lose each other: `by` at once, the other a latency later. */
  close(by: Owner): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    for (const end of this.ends) {
      const unsent = end.lane.close()
      const delay = end.owner === by ? 0 : this.latency
      this.medium.clock.after(delay, () => end.owner.lost(end, unsent))
    }
  }
}

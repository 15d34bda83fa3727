/**
 * What the peer wire does where one end only pulls, as BitTorrent clients do: has and interest are told unasked, requests
 * need an unchoke, the uploader may suggest. Nothing is acknowledged, so the uploader knows only what has left.
 */
import { Answering } from './answering.ts'
import { Asking } from './asking.ts'
import type { End } from './connection.ts'
import type { Shipment } from './lane.ts'
import type { Message, Span } from './messages.ts'
import { type PeerAction, refuse, type Wire } from './wire.ts'

export class BittorrentWire implements Wire {
  readonly #end: End
  readonly #asking: Asking
  readonly #answering: Answering

  constructor(end: End) {
    this.#end = end
    this.#asking = new Asking(end)
    this.#answering = new Answering(end)
  }

  act(action: PeerAction): void {
    const { root, key: peer } = this.#end.owner
    switch (action.type) {
      case 'request':
        this.#request(action)
        return
      case 'cancel':
        this.#asking.cancel(action)
        return
      case 'send':
        this.#answering.send(action)
        return
      case 'reject':
        this.#answering.reject(action)
        return
      case 'choke':
        this.#end.tell({ type: 'choked', root, peer })
        this.#answering.choke()
        return
      case 'unchoke':
        if (!this.#end.owner.sends) return
        this.#answering.choking = false
        this.#end.tell({ type: 'unchoked', root, peer })
        return
      case 'interested':
      case 'uninterested':
        this.#end.tell({ type: action.type, root, peer })
        return
      case 'suggest':
        if (this.#end.owner.sends) this.#end.tell({ type: 'suggested', root, peer, piece: action.piece })
        return
      default:
        refuse('not on the bittorrent wire', action)
    }
  }

  receive(message: Message): void {
    const { owner } = this.#end
    switch (message.type) {
      case 'has':
      case 'suggested':
      case 'uninterested':
        owner.dispatch(message)
        return
      case 'interested':
        if (owner.sends) owner.dispatch(message)
        return
      case 'choked':
      case 'unchoked':
        this.#asking.choked = message.type === 'choked'
        owner.dispatch(message)
        return
      case 'request':
        this.#answering.requested(message, false)
        return
      case 'cancel':
        this.#answering.cancelled(message)
        return
      case 'reject':
        this.#asking.rejected(message)
        return
      case 'data':
        this.#asking.take(message)
        return
      default:
        refuse('not on the bittorrent wire', message)
    }
  }

  left(shipment: Shipment, length: number): void {
    const { owner, peer } = this.#end
    const { piece, begin } = shipment
    this.#answering.left(shipment)
    owner.dispatch({ type: 'delivered', root: owner.root, peer, piece, begin, bytes: length })
  }

  has(): void {}

  #request({ piece, begin, length }: Span): void {
    const { owner, peer } = this.#end
    if (this.#asking.choked) {
      owner.dispatch({ type: 'rejected', root: owner.root, peer, piece, begin, length })
      return
    }
    this.#asking.add({ piece, begin, length })
    this.#end.tell({ type: 'request', piece, begin, length })
  }
}

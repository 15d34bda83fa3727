/**
 * What the peer wire does between `share` nodes: the uploader offers, the receiver accepts by a request, declines or is
 * busy. Where `exchange/peer-wire` changes, this file must too.
 *
 * Nobody offers a piece of which a request is open. So when an offer comes while bytes of the piece are asked for, the
 * two crossed, and both ends take the request as the answer. An eager offer stands for a request of the whole piece: a
 * request for all of it accepts it, anything else declines it.
 */
import { type Answer, Answering } from './answering.ts'
import { Asking } from './asking.ts'
import type { End } from './connection.ts'
import type { Shipment } from './lane.ts'
import type { Message, Span } from './messages.ts'
import { type PeerAction, refuse, type Wire } from './wire.ts'

type Offer = Extract<PeerAction, { type: 'offer' | 'offer-uplink' }>
type Dismissal = Extract<PeerAction, { type: 'decline' | 'busy' }>

/** Data that is acknowledged at the latest. */
const ACK_BYTES = 128 << 10

/** The piece of an empty offer. */
const EMPTY = -1

export class ShareWire implements Wire {
  readonly #end: End
  readonly #asking: Asking
  readonly #answering: Answering
  /** What the owner offers, with the eager ones on their way; and what the other offers. */
  readonly #ours = new Map<number, Answer | undefined>()
  readonly #theirs = new Map<number, 'lazy' | 'eager'>()
  /** Bytes of the request that is being answered, which came and are not acknowledged. */
  #unconfirmed = { piece: 0, begin: 0, bytes: 0 }

  constructor(end: End) {
    this.#end = end
    this.#asking = new Asking(end)
    this.#answering = new Answering(end)
  }

  // --- what the owner does

  act(action: PeerAction): void {
    const { root, key: peer } = this.#end.owner
    switch (action.type) {
      case 'offer':
      case 'offer-uplink':
        if (this.#end.owner.sends) this.#offer(action)
        return
      case 'request':
        this.#request(action)
        return
      case 'decline':
      case 'busy':
        this.#dismiss(action)
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
      default:
        refuse('not on the share wire', action)
    }
  }

  left(shipment: Shipment, bytes: number): void {
    const { owner, peer } = this.#end
    const { piece, begin } = shipment
    this.#answering.left(shipment)
    owner.dispatch({ type: 'sent', root: owner.root, peer, piece, begin, bytes })
  }

  has(): void {}

  #offer(offer: Offer): void {
    const { root, key: peer } = this.#end.owner
    const { rate, start } = offer
    if (offer.type === 'offer-uplink') {
      this.#end.tell({ type: 'idle', root, peer, rate, start })
      this.#ours.set(EMPTY, undefined)
      return
    }
    const { piece, eager } = offer
    if (this.#ours.has(piece) || this.#answering.concerns(piece)) refuse('offered already', offer)
    if (!this.#end.owner.claims(piece)) refuse('not here to be offered', offer)
    this.#end.tell({ type: 'offered', root, peer, piece, eager, rate, start })
    this.#ours.set(piece, eager ? this.#answering.sendEagerly(piece) : undefined)
  }

  #request(span: Span): void {
    const { piece, begin, length } = span
    const { owner, peer } = this.#end
    const offer = this.#theirs.get(piece)
    const whole = length === owner.size(piece)
    if (offer === 'eager' && whole) this.#theirs.delete(piece)
    else if (offer === 'lazy' || this.#theirs.has(EMPTY)) {
      this.#theirs.delete(offer === 'lazy' ? piece : EMPTY)
      this.#asking.add(span)
    } else if (this.#asking.choked) {
      owner.dispatch({ type: 'rejected', root: owner.root, peer, piece, begin, length })
      return
    } else this.#asking.add(span)
    this.#end.tell({ type: 'request', piece, begin, length })
  }

  #dismiss(action: Dismissal): void {
    const { root, key: peer } = this.#end.owner
    const { piece = EMPTY } = action
    const offer = this.#theirs.get(piece)
    if (offer === undefined) refuse('no such offer', action)
    this.#theirs.delete(piece)
    if (offer === 'eager') this.#asking.unwant(piece)
    if (action.type === 'decline') this.#end.tell({ type: 'declined', root, peer, piece: action.piece })
    else this.#end.tell({ type: 'busy', root, peer, piece: action.piece, ms: action.ms })
  }

  // --- what the other does

  receive(message: Message): void {
    const { owner } = this.#end
    switch (message.type) {
      case 'has':
      case 'expects':
      case 'expects-no-more':
      case 'delivered':
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
      case 'offered':
        this.#takeOffer(message)
        return
      case 'idle':
        this.#theirs.set(EMPTY, 'lazy')
        owner.dispatch(message)
        return
      case 'request':
        this.#takeRequest(message)
        return
      case 'declined':
      case 'busy':
        this.#dismissed(message.piece ?? EMPTY)
        owner.dispatch(message)
        return
      case 'cancel':
        this.#answering.cancelled(message)
        return
      case 'reject':
        // perhaps of what has come so far, which then is all of it
        this.#confirm()
        this.#asking.rejected(message)
        return
      case 'data':
        this.#takeData(message)
        return
      default:
        refuse('not on the share wire', message)
    }
  }

  #takeOffer(offer: Extract<Message, { type: 'offered' }>): void {
    const { piece, eager } = offer
    const { owner } = this.#end
    const size = owner.size(piece)
    const crossed = this.#asking.of(piece)
    if (crossed !== undefined) {
      const accepts = crossed.begin === 0 && crossed.end === size
      if (eager && !accepts) this.#asking.addUnwanted(piece, size)
      return
    }
    if (eager) this.#asking.add({ piece, begin: 0, length: size })
    this.#theirs.set(piece, eager ? 'eager' : 'lazy')
    owner.dispatch(offer)
    // not answered at once: declined
    if (eager && this.#theirs.has(piece)) this.#dismiss({ ...offer, type: 'decline' })
  }

  #takeRequest(span: Span): void {
    const { piece, begin, length } = span
    const { owner, peer } = this.#end
    const eager = this.#ours.get(piece)
    if (eager === undefined) {
      const offered = this.#ours.delete(piece) || this.#ours.delete(EMPTY)
      this.#answering.requested({ piece, begin, length }, offered)
    } else if (length === owner.size(piece)) {
      this.#ours.delete(piece)
      owner.dispatch({ type: 'accepted', root: owner.root, peer, piece })
    } else {
      this.#dismissed(piece)
      owner.dispatch({ type: 'declined', root: owner.root, peer, piece })
      this.#answering.requested({ piece, begin, length }, false)
    }
  }

  /** An offer was turned down: what has not left of an eager piece stays. */
  #dismissed(piece: number): void {
    const eager = this.#ours.get(piece)
    this.#ours.delete(piece)
    if (eager !== undefined) this.#answering.cut(eager, eager.at)
  }

  #takeData(data: Extract<Message, { type: 'data' }>): void {
    const { piece, length } = data
    const asked = this.#asking.awaits(data)
    this.#unconfirmed = { piece, begin: asked?.begin ?? 0, bytes: this.#unconfirmed.bytes + length }
    if (this.#unconfirmed.bytes >= ACK_BYTES || data.begin + length === asked?.end) this.#confirm()
    this.#asking.take(data)
  }

  #confirm(): void {
    const { root, key: peer } = this.#end.owner
    const { bytes } = this.#unconfirmed
    if (bytes > 0) this.#end.tell({ type: 'delivered', root, peer, ...this.#unconfirmed })
    this.#unconfirmed = { ...this.#unconfirmed, bytes: 0 }
  }
}

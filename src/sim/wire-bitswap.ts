/**
 * What Bitswap does: want lists and ledgers of whole pieces, questions that stand until they are answered with yes.
 * Where `exchange/bitswap` or what drives it changes, this file must too.
 */
import type { End } from './connection.ts'
import type { Shipment } from './lane.ts'
import type { Message } from './messages.ts'
import { type PeerAction, refuse, type Wire } from './wire.ts'

/** What is wanted of a piece: nothing, to know whether it is there, or its bytes. */
type Want = undefined | 'presence' | 'bytes'

export class BitswapWire implements Wire {
  readonly #end: End
  /** By piece: what the owner wants of the other, and the other of the owner. */
  readonly #wants = new Map<number, Want>()
  readonly #ledger = new Map<number, Want>()

  constructor(end: End) {
    this.#end = end
  }

  // --- what the owner does

  act(action: PeerAction): void {
    switch (action.type) {
      case 'ask':
        this.#ask(action.pieces)
        return
      case 'unask':
        if (this.#wants.get(action.piece) !== 'presence') return
        this.#wants.delete(action.piece)
        this.#end.tell({ type: 'unask', piece: action.piece })
        return
      case 'request':
        this.#request(action.piece)
        return
      case 'remind':
        this.#remind(action.pieces)
        return
      case 'cancel':
        this.#cancel(action.piece)
        return
      case 'send':
        this.#send(action.piece)
        return
      case 'reject':
        if (this.#ledger.delete(action.piece)) this.#tellLack(action.piece)
        return
      default:
        refuse('not on Bitswap', action)
    }
  }

  left(shipment: Shipment, length: number): void {
    const { owner, peer } = this.#end
    owner.dispatch({
      type: 'delivered',
      root: owner.root,
      peer,
      piece: shipment.piece,
      begin: 0,
      bytes: length,
    })
  }

  /** Who waits for the piece is told, or gets it. */
  has(piece: number): void {
    const { root, key: peer } = this.#end.owner
    const want = this.#ledger.get(piece)
    if (want === 'presence') {
      this.#ledger.delete(piece)
      this.#end.tell({ type: 'has', root, peer, pieces: [piece] })
    } else if (want === 'bytes') this.#wanted(piece)
  }

  /** A request stands above a question for the same piece. */
  #ask(pieces: readonly number[]): void {
    const asked = pieces.filter((piece) => this.#wants.get(piece) !== 'bytes')
    for (const piece of asked) this.#wants.set(piece, 'presence')
    if (asked.length > 0) this.#end.tell({ type: 'ask', pieces: asked })
  }

  #request(piece: number): void {
    if (this.#wants.get(piece) === 'bytes') return
    this.#wants.set(piece, 'bytes')
    this.#tellRequest(piece)
  }

  /** Tells again what is wanted still. */
  #remind(pieces: readonly number[]): void {
    for (const piece of pieces) {
      const want = this.#wants.get(piece)
      if (want === 'bytes') this.#tellRequest(piece)
      else if (want === 'presence') this.#end.tell({ type: 'ask', pieces: [piece] })
    }
  }

  #cancel(piece: number): void {
    if (!this.#wants.delete(piece)) return
    this.#end.tell({ type: 'cancel', piece, begin: 0, length: this.#end.owner.size(piece) })
  }

  #send(piece: number): void {
    const { owner, peer, lane } = this.#end
    if (this.#ledger.delete(piece)) lane.push({ piece, begin: 0, at: 0, end: owner.size(piece) })
    else owner.dispatch({ type: 'send-failed', root: owner.root, peer, piece, begin: 0 })
  }

  #tellRequest(piece: number): void {
    this.#end.tell({ type: 'request', piece, begin: 0, length: this.#end.owner.size(piece) })
  }

  // --- what the other does

  receive(message: Message): void {
    switch (message.type) {
      case 'ask':
        this.#answer(message.pieces)
        return
      case 'unask':
        this.#ledger.delete(message.piece)
        return
      case 'request':
        this.#ledger.set(message.piece, 'bytes')
        if (this.#end.owner.claims(message.piece)) this.#wanted(message.piece)
        else this.#tellLack(message.piece)
        return
      case 'cancel':
        this.#cancelled(message.piece)
        return
      case 'has':
        for (const piece of message.pieces)
          if (this.#wants.get(piece) === 'presence') this.#wants.delete(piece)
        this.#end.owner.dispatch(message)
        return
      case 'lacks':
        for (const piece of message.pieces) if (this.#wants.get(piece) === 'bytes') this.#cancel(piece)
        this.#end.owner.dispatch(message)
        return
      case 'data':
        this.#takeData(message)
        return
      default:
        refuse('not on Bitswap', message)
    }
  }

  #answer(pieces: readonly number[]): void {
    const { owner } = this.#end
    const { root, key: peer } = owner
    const has = pieces.filter((piece) => owner.claims(piece))
    const lacks = pieces.filter((piece) => !owner.claims(piece))
    for (const piece of has) this.#ledger.delete(piece)
    for (const piece of lacks) this.#ledger.set(piece, 'presence')
    if (lacks.length > 0) this.#end.tell({ type: 'lacks', root, peer, pieces: lacks })
    if (has.length > 0) this.#end.tell({ type: 'has', root, peer, pieces: has })
  }

  #tellLack(piece: number): void {
    const { root, key: peer } = this.#end.owner
    this.#end.tell({ type: 'lacks', root, peer, pieces: [piece] })
  }

  #wanted(piece: number): void {
    const { owner, peer } = this.#end
    const { root, sends } = owner
    const span = { piece, begin: 0, length: owner.size(piece) }
    if (sends) owner.dispatch({ type: 'requested', root, peer, ...span, offered: false })
  }

  #cancelled(piece: number): void {
    const { owner, peer } = this.#end
    const wanted = this.#ledger.get(piece) === 'bytes'
    this.#ledger.delete(piece)
    if (!wanted || !owner.claims(piece) || !owner.sends) return
    owner.dispatch({ type: 'shortened', root: owner.root, peer, piece, begin: 0, length: 0 })
  }

  /** A piece counts when it is whole; until then its bytes are in vain. One that was cancelled on its way is as good as any. */
  #takeData({ piece, begin, length, genuine }: Extract<Message, { type: 'data' }>): void {
    const { owner, connection, peer } = this.#end
    const { root } = owner
    const { tally } = connection.medium
    const size = owner.size(piece)
    if (begin + length < size) {
      tally.cut += length
      owner.dispatch({ type: 'progressed', root, peer })
      return
    }
    tally.cut -= begin
    this.#wants.delete(piece)
    if (owner.has(piece) || owner.disk.isChecking(piece)) {
      tally.duplicate += size
      owner.dispatch({ type: 'received', root, peer, piece })
      return
    }
    tally.duplicate += owner.disk.drop(piece)
    owner.disk.add({ piece, begin: 0, length: size }, genuine)
    owner.dispatch({ type: 'received', root, peer, piece })
    if (!owner.disk.isChecking(piece)) tally.duplicate += owner.disk.drop(piece)
  }
}

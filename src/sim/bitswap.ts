/**
 * What Bitswap, `node/swarm-driver.ts` and `node/block-server.ts` do between the scheduler and the wire: actions of the
 * scheduler become messages and transfers, those of others become events. Where they change, this file must too.
 */
import type { PeerKey, RootKey } from '../core/types.ts'
import type { SwarmAction, SwarmEvent } from '../swarm/events.ts'
import { BYTES, type End, NOTHING, PRESENCE, type Transfer } from './connection.ts'
import type { Message } from './messages.ts'

/** The peer whose wire it is. */
export interface Host {
  readonly root: RootKey
  readonly ends: ReadonlyMap<PeerKey, End>
  /** Whether it sends pieces, and whether they are what they should be. */
  readonly sends: boolean
  readonly genuine: boolean
  claims(piece: number): boolean
  size(piece: number): number
  /** A piece came; false when it is there already. */
  take(piece: number, genuine: boolean): boolean
  dispatch(event: SwarmEvent): void
}

export type WireAction = Exclude<SwarmAction, { type: 'verify-and-store' | 'ban' | 'completed' }>

export class Bitswap {
  readonly #host: Host

  constructor(host: Host) {
    this.#host = host
  }

  act(action: WireAction): void {
    if (action.type === 'have') {
      this.#tellHave(action.piece)
      return
    }
    const end = this.#host.ends.get(action.peer)
    switch (action.type) {
      case 'ask':
        if (end !== undefined) ask(end, action.pieces)
        return
      case 'request':
        if (end !== undefined) request(end, action.piece)
        return
      case 'remind':
        if (end !== undefined) remind(end, action.pieces)
        return
      case 'cancel':
        if (end !== undefined) cancel(end, action.piece)
        return
      case 'send':
        this.#send(action.peer, end, action.piece)
        return
      default:
        action satisfies never
    }
  }

  receive(end: End, message: Message): void {
    switch (message.type) {
      case 'ask':
        this.#answer(end, message.pieces)
        return
      case 'request':
        this.#serve(end, message.piece)
        return
      case 'cancel':
        this.#cancelled(end, message.piece)
        return
      case 'have':
        this.#learn(end, message.pieces, [])
        return
      case 'presence':
        this.#learn(end, message.has, message.lacks)
        return
      default:
        message satisfies never
    }
  }

  /** A piece came in. One that was cancelled on its way is as good as any. */
  arrived(end: End, { piece, size, genuine }: Transfer): void {
    const { tally } = end.connection.medium
    const { root } = this.#host
    const peer = end.other.owner.key
    end.wants[piece] = NOTHING
    this.#host.dispatch({ type: 'progressed', root, peer, bytes: size })
    const taken = this.#host.take(piece, genuine)
    if (!genuine) tally.corrupt += size
    else if (taken) tally.useful += size
    else tally.duplicate += size
    if (taken) this.#host.dispatch({ type: 'received', root, peer, piece })
  }

  // --- what others want

  #answer(end: End, pieces: readonly number[]): void {
    const has: number[] = []
    const lacks: number[] = []
    for (const piece of pieces) {
      const claimed = this.#host.claims(piece)
      end.ledger[piece] = claimed ? NOTHING : PRESENCE
      if (claimed) has.push(piece)
      else lacks.push(piece)
    }
    end.tell({ type: 'presence', has, lacks })
  }

  #serve(end: End, piece: number): void {
    end.ledger[piece] = BYTES
    if (this.#host.claims(piece)) this.#wanted(end, piece)
    else end.tell({ type: 'presence', has: [], lacks: [piece] })
  }

  #wanted(end: End, piece: number): void {
    const { root, sends } = this.#host
    if (sends) this.#host.dispatch({ type: 'wanted', root, peer: end.other.owner.key, piece })
  }

  #cancelled(end: End, piece: number): void {
    const wanted = end.ledger[piece] === BYTES
    end.ledger[piece] = NOTHING
    // of questions the scheduler has not heard; telling it of their end would double the events of a run
    if (wanted)
      this.#host.dispatch({ type: 'unwanted', root: this.#host.root, peer: end.other.owner.key, piece })
  }

  #send(peer: PeerKey, end: End | undefined, piece: number): void {
    const { root, genuine } = this.#host
    if (end === undefined || end.ledger[piece] === NOTHING) {
      this.#host.dispatch({ type: 'send-failed', root, peer, piece })
      return
    }
    end.ledger[piece] = NOTHING
    end.lane.push({ piece, size: this.#host.size(piece), genuine })
  }

  #tellHave(piece: number): void {
    const message: Message = { type: 'have', pieces: [piece] }
    for (const end of this.#host.ends.values()) {
      const want = end.ledger[piece]
      if (want === PRESENCE) {
        end.ledger[piece] = NOTHING
        end.tell(message)
      } else if (want === BYTES) this.#wanted(end, piece)
    }
  }

  // --- what others have

  #learn(end: End, has: readonly number[], lacks: readonly number[]): void {
    const { root } = this.#host
    const peer = end.other.owner.key
    for (const piece of has) if (end.wants[piece] === PRESENCE) end.wants[piece] = NOTHING
    for (const piece of lacks) if (end.wants[piece] === BYTES) cancel(end, piece)
    if (lacks.length > 0) this.#host.dispatch({ type: 'lacks', root, peer, pieces: lacks })
    if (has.length > 0) this.#host.dispatch({ type: 'has', root, peer, pieces: has })
  }
}

/** A request stands above a question for the same piece. */
function ask(end: End, pieces: readonly number[]): void {
  const asked = pieces.filter((piece) => end.wants[piece] !== BYTES)
  for (const piece of asked) end.wants[piece] = PRESENCE
  if (asked.length > 0) end.tell({ type: 'ask', pieces: asked })
}

function request(end: End, piece: number): void {
  if (end.wants[piece] === BYTES) return
  end.wants[piece] = BYTES
  end.tell({ type: 'request', piece })
}

/** Tells again what is wanted still. */
function remind(end: End, pieces: readonly number[]): void {
  for (const piece of pieces) {
    if (end.wants[piece] === BYTES) end.tell({ type: 'request', piece })
    else if (end.wants[piece] === PRESENCE) end.tell({ type: 'ask', pieces: [piece] })
  }
}

function cancel(end: End, piece: number): void {
  if (end.wants[piece] === NOTHING) return
  end.wants[piece] = NOTHING
  end.tell({ type: 'cancel', piece })
}

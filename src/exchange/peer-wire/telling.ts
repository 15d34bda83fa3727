/**
 * What one peer's messages say, as events for the scheduler. Messages of a kind that come in one go are told as one
 * event: a thousand haves are one `has`, and the chunks of a piece one `arrived`. Whoever tells something else flushes
 * them first, so the order stays.
 */
import type { PeerKey, RootKey } from '../../core/types.ts'
import type { SwarmEvent } from '../../swarm/events.ts'
import type { WireEvent } from './events.ts'

/** A `SwarmEvent` about this peer, without saying so. */
type WithoutPeer<Event> = Event extends { readonly peer: PeerKey; readonly root: RootKey }
  ? Omit<Event, 'peer' | 'root'>
  : never

export type PeerTelling = WithoutPeer<SwarmEvent>

type PieceList = 'has' | 'expects' | 'expects-no-more'

type Gathered =
  | { readonly type: PieceList; readonly pieces: number[] }
  | { readonly type: 'arrived'; readonly piece: number; readonly begin: number; length: number }

export class Telling {
  readonly #tell: (event: PeerTelling) => void
  #gathered: Gathered | undefined

  constructor(tell: (event: PeerTelling) => void) {
    this.#tell = tell
  }

  tell(event: PeerTelling): void {
    this.flush()
    this.#tell(event)
  }

  /** A piece of one of the lists. */
  list(type: PieceList, piece: number): void {
    if (this.#gathered?.type === type) {
      this.#gathered.pieces.push(piece)
      return
    }
    this.flush()
    this.#gathered = { type, pieces: [piece] }
  }

  arrived(piece: number, begin: number, length: number): void {
    const known = this.#gathered
    if (known?.type === 'arrived' && known.piece === piece && known.begin + known.length === begin) {
      known.length += length
      return
    }
    this.flush()
    this.#gathered = { type: 'arrived', piece, begin, length }
  }

  flush(): void {
    const gathered = this.#gathered
    this.#gathered = undefined
    if (gathered !== undefined) this.#tell(gathered)
  }
}

/** The events that mean the same to the scheduler; undefined for those that need more than a translation. */
export function translated(event: WireEvent): PeerTelling | undefined {
  switch (event.type) {
    case 'choked':
    case 'unchoked':
    case 'interested':
      return { type: event.type }
    case 'not-interested':
      return { type: 'uninterested' }
    case 'rejected':
      return { type: 'rejected', piece: event.index, begin: event.begin, length: event.length }
    case 'suggested':
      return { type: 'suggested', piece: event.index }
    case 'offered': {
      const { index: piece, eager, rate, start } = event
      return { type: 'offered', piece, eager, rate, start }
    }
    case 'idle':
      return { type: 'idle', rate: event.rate, start: event.start }
    case 'requested': {
      const { index: piece, begin, length, offered } = event
      return { type: 'requested', piece, begin, length, offered }
    }
    case 'accepted':
      return { type: 'accepted', piece: event.index }
    case 'shortened':
      return { type: 'shortened', piece: event.index, begin: event.begin, length: event.length }
    case 'declined':
      return { type: 'declined', piece: event.index }
    case 'busy':
      return { type: 'busy', piece: event.index, ms: event.milliseconds }
    default:
      return undefined
  }
}

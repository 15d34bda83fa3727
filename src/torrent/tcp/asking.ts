/**
 * What we ask of one BitTorrent client. The scheduler asks for a range of a swarm's piece; on the wire that is blocks of 16
 * KiB, of which so many are open as the peer takes, the others wait here. Answers may come in any order; the scheduler is
 * told of a range from its beginning on. A range of which one block does not come ends before that block.
 */
import type { Span } from '../../exchange/peer-wire/messages.ts'
import { WireViolation } from '../../exchange/peer-wire/violation.ts'
import type { WirePart } from './piece-space.ts'

/** What every client serves; blocks begin at multiples of it, as some want. */
const BLOCK_BYTES = 16 << 10

/** Blocks of a torrent piece at most, 64 MiB of them: a number that names one among all. */
const MOST_BLOCKS = (64 << 20) / BLOCK_BYTES

/** Blocks open at once, if the peer takes so many: 8 MiB, enough for 100 ms at 80 MB/s. */
const MOST_OPEN = 512

/** Blocks are asked for again when so much of what may be open is free: a write for each costs both ends more than its bytes. */
const FREE_PART = 1 / 8

/** Bytes that nobody asked for, or asks for any more, before the peer counts as one that pushes rubbish. */
const MOST_UNWANTED_BYTES = 4 << 20

/** A range of a swarm's piece. */
export interface PieceSpan {
  readonly piece: number
  readonly begin: number
  readonly length: number
}

interface Ask {
  readonly piece: number
  readonly begin: number
  end: number
  /** In order; those behind `end` are not wanted any more. */
  readonly blocks: readonly Block[]
  /** The first that was not asked for yet, and the first that is not whole. */
  next: number
  first: number
  /** Bytes before this are here, and the scheduler knows it. */
  told: number
}

interface Block extends Span {
  readonly ask: Ask
  /** Where it lies in the swarm's piece. */
  readonly to: number
  filled: number
  wanted: boolean
  asked: boolean
}

/** Bytes known without asking. */
export interface Known {
  readonly begin: number
  readonly bytes: Uint8Array
}

export class Asking {
  readonly #asks: Ask[] = []
  /** Those of which something came that was not looked at. */
  readonly #fresh = new Set<Ask>()
  /** Asked for and not answered, by `keyOf`; mostly one each. */
  readonly #open = new Map<number, readonly Block[]>()
  readonly #fast: boolean
  #openBlocks = 0
  #unwanted = 0
  /** Requests that the peer takes at once. */
  limit = 250

  /** @param fast every request is answered, by a reject at least (BEP 6) */
  constructor(fast: boolean) {
    this.#fast = fast
  }

  /** Blocks that the peer has not answered. */
  get open(): number {
    return this.#openBlocks
  }

  get idle(): boolean {
    return this.#asks.length === 0
  }

  /** Asks for a range, which these parts are. Returns what of it is known. */
  ask({ piece, begin, length }: PieceSpan, parts: readonly WirePart[]): readonly Known[] {
    const blocks: Block[] = []
    const ask: Ask = { piece, begin, end: begin + length, blocks, next: 0, first: 0, told: begin }
    const known: Known[] = []
    for (const part of parts) {
      if (part.kind === 'known') known.push(part)
      else cut(ask, part, blocks)
    }
    this.#asks.push(ask)
    this.#fresh.add(ask)
    return known
  }

  /** The blocks to ask for now: many at once, or none yet. */
  *next(): Generator<Span> {
    const most = Math.min(this.limit, MOST_OPEN)
    if (this.#openBlocks > most * (1 - FREE_PART)) return
    for (const ask of this.#asks) {
      for (let block = ask.blocks[ask.next]; block?.wanted === true; block = ask.blocks[ask.next]) {
        if (this.#openBlocks >= most) return
        ask.next++
        block.asked = true
        this.#add(block)
        yield block
      }
    }
  }

  /**
   * Where bytes that came belong; undefined for what is not wanted any more.
   * @throws WireViolation for too much that was not asked for
   */
  received(index: number, at: number, length: number): { piece: number; begin: number } | undefined {
    const block = this.#blockAt(index, at, length)
    if (block === undefined) {
      this.#dislike(length)
      return undefined
    }
    const begin = block.to + block.filled
    block.filled += length
    if (block.filled === block.length) this.#remove(block)
    if (!block.wanted) return undefined
    this.#fresh.add(block.ask)
    return { piece: block.ask.piece, begin }
  }

  /** Ranges that are here from their beginning on and were not told before. Those that are whole are over. */
  *arrived(): Generator<PieceSpan> {
    const fresh = [...this.#fresh]
    this.#fresh.clear()
    for (const ask of fresh) {
      const { piece, told } = ask
      const here = this.#here(ask)
      ask.told = here
      if (here >= ask.end) this.#end(ask)
      if (here > told) yield { piece, begin: told, length: here - told }
    }
  }

  /** A block will not come. Returns the part of a range that ends with that; blocks behind it are to be cancelled. */
  rejected(span: Span): { readonly lost: PieceSpan; readonly cancelled: readonly Span[] } | undefined {
    const block = this.#find(span)
    if (block === undefined) return undefined
    this.#remove(block)
    if (!block.wanted) return undefined
    const { ask } = block
    const from = Math.max(ask.told, block.to)
    const lost = { piece: ask.piece, begin: from, length: ask.end - from }
    const cancelled = this.#shorten(ask, from).filter((each) => each !== block)
    return lost.length > 0 ? { lost, cancelled } : undefined
  }

  /** The end of a range is not wanted any more. Returns the blocks to be cancelled. */
  cancel({ piece, begin, length }: PieceSpan): readonly Span[] {
    const ask = this.#asks.find(
      (each) => each.piece === piece && each.begin <= begin && each.end === begin + length,
    )
    return ask === undefined ? [] : this.#shorten(ask, begin)
  }

  /** The peer forgets what was asked of it. Returns the ranges that are lost with that. */
  dropAll(): readonly PieceSpan[] {
    const lost = this.#asks.map(({ piece, told, end }) => ({ piece, begin: told, length: end - told }))
    this.#asks.length = 0
    this.#fresh.clear()
    // what was under way may still come
    for (const blocks of [...this.#open.values()]) for (const block of blocks) this.#forget(block)
    return lost.filter(({ length }) => length > 0)
  }

  /** Ends an ask before `to`; at its beginning, it is over. */
  #shorten(ask: Ask, to: number): Block[] {
    const cancelled: Block[] = []
    for (const block of ask.blocks) {
      if (block.to < to || !block.wanted) continue
      block.wanted = false
      if (!block.asked || block.filled === block.length) continue
      cancelled.push(block)
      if (!this.#fast) this.#forget(block)
    }
    ask.end = Math.max(ask.begin, to)
    if (ask.told >= ask.end) this.#end(ask)
    return cancelled
  }

  #end(ask: Ask): void {
    this.#fresh.delete(ask)
    const at = this.#asks.indexOf(ask)
    if (at >= 0) this.#asks.splice(at, 1)
  }

  /** How far a range is here without a gap. */
  #here(ask: Ask): number {
    for (;;) {
      const block = ask.blocks[ask.first]
      if (block === undefined) return ask.end
      if (block.filled < block.length) return Math.min(ask.end, block.to + block.filled)
      ask.first++
    }
  }

  /** The open block whose next bytes these are. */
  #blockAt(index: number, at: number, length: number): Block | undefined {
    return this.#open
      .get(keyOf(index, at))
      ?.find((block) => block.begin + block.filled === at && block.filled + length <= block.length)
  }

  #find({ index, begin, length }: Span): Block | undefined {
    return this.#open.get(keyOf(index, begin))?.find((each) => each.begin === begin && each.length === length)
  }

  #add(block: Block): void {
    const key = keyOf(block.index, block.begin)
    this.#open.set(key, [...(this.#open.get(key) ?? []), block])
    this.#openBlocks++
  }

  #remove(block: Block): void {
    const key = keyOf(block.index, block.begin)
    const left = (this.#open.get(key) ?? []).filter((each) => each !== block)
    if (left.length > 0) this.#open.set(key, left)
    else this.#open.delete(key)
    this.#openBlocks--
  }

  /** It may still come, or never: nobody says. */
  #forget(block: Block): void {
    this.#unwanted -= block.length - block.filled
    this.#remove(block)
  }

  #dislike(bytes: number): void {
    this.#unwanted += bytes
    if (this.#unwanted > MOST_UNWANTED_BYTES)
      throw new WireViolation('unrequested', `${this.#unwanted} bytes that nobody asked for`)
  }
}

/** All bytes of one open block have the same. */
function keyOf(index: number, at: number): number {
  return index * MOST_BLOCKS + Math.floor(at / BLOCK_BYTES)
}

function cut(ask: Ask, part: Extract<WirePart, { kind: 'wire' }>, blocks: Block[]): void {
  const end = part.at + part.length
  for (let at = part.at; at < end; ) {
    const to = Math.min(end, (Math.floor(at / BLOCK_BYTES) + 1) * BLOCK_BYTES)
    blocks.push({
      ask,
      index: part.index,
      begin: at,
      length: to - at,
      to: part.begin + at - part.at,
      filled: 0,
      wanted: true,
      asked: false,
    })
    at = to
  }
}

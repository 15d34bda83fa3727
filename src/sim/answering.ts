/** What the other end asked for, and the answers on their way: in the order in which they are given, each one cut short where it is taken back. */
import type { End } from './connection.ts'
import type { Shipment } from './lane.ts'
import type { Span } from './messages.ts'
import { refuse } from './wire.ts'

export interface Answer extends Shipment {
  /** It answers an offer, so a choke does not end it. */
  readonly offered: boolean
  /** `waiting` until the scheduler has it sent. */
  state: 'waiting' | 'given'
}

export class Answering {
  choking = true
  readonly #end: End
  #open: readonly Answer[] = []

  constructor(end: End) {
    this.#end = end
  }

  concerns(piece: number): boolean {
    return this.#open.some((answer) => answer.piece === piece)
  }

  /** The other asks for bytes; `offered`: it accepts an offer of them. */
  requested(span: Span, offered: boolean): void {
    const { piece, begin, length } = span
    const { owner, peer } = this.#end
    if (this.choking && !offered) {
      this.#end.tell({ type: 'reject', piece, begin, length })
      return
    }
    const end = begin + length
    if (this.#open.some((one) => one.piece === piece && one.at < end && begin < one.end))
      refuse('a request for bytes that are asked for already', span)
    this.#open = [...this.#open, { piece, begin, at: begin, end, offered, state: 'waiting' }]
    if (!owner.sends) return
    owner.dispatch({ type: 'requested', root: owner.root, peer, piece, begin, length, offered })
  }

  /** Answers a request. */
  send(span: Span): void {
    const { piece, begin, length } = span
    const answer = this.#open.find(
      (one) => one.piece === piece && one.begin === begin && one.state === 'waiting',
    )
    if (answer === undefined || answer.end - answer.begin !== length) refuse('nobody asked for', span)
    answer.state = 'given'
    this.#end.lane.push(answer)
  }

  /** Sends a piece that nobody asked for yet. */
  sendEagerly(piece: number): Answer {
    const end = this.#end.owner.size(piece)
    const answer: Answer = { piece, begin: 0, at: 0, end, offered: true, state: 'given' }
    this.#open = [...this.#open, answer]
    this.#end.lane.push(answer)
    return answer
  }

  /** Refuses what has not left of a request. */
  reject({ piece, begin }: Span): void {
    const answer = this.#open.find((one) => one.piece === piece && one.begin === begin)
    if (answer !== undefined) this.cut(answer, answer.at)
  }

  /** Refuses what waits, save accepted offers. */
  choke(): void {
    this.choking = true
    const waiting = this.#open.filter(({ state, offered }) => state === 'waiting' && !offered)
    for (const answer of waiting) this.cut(answer, answer.at)
  }

  /** The other takes back the end of a request, which may have left by now. */
  cancelled({ piece, begin, length }: Span): void {
    const { owner, peer } = this.#end
    const answer = this.#open.find(
      (one) => one.piece === piece && one.begin <= begin && begin < one.end && one.end === begin + length,
    )
    if (answer === undefined) return
    this.cut(answer, begin)
    if (!owner.sends) return
    const left = { piece, begin: answer.begin, length: answer.end - answer.begin }
    owner.dispatch({ type: 'shortened', root: owner.root, peer, ...left })
  }

  /** Ends an answer at `to`, or where it is by now. */
  cut(answer: Answer, to: number): void {
    const { piece, end } = answer
    if (answer.state === 'given') this.#end.lane.cut(answer, to)
    else answer.end = Math.max(answer.at, to)
    const begin = answer.end
    if (begin < end) this.#end.tell({ type: 'reject', piece, begin, length: end - begin })
    if (answer.at === answer.end) this.#close(answer)
  }

  /** Some of an answer has left. */
  left(shipment: Shipment): void {
    if (shipment.at === shipment.end) this.#close(shipment)
  }

  #close(shipment: Shipment): void {
    this.#open = this.#open.filter((answer) => answer !== shipment)
  }
}

/** Two connections wired to each other in memory, for tests. */
import { Bitfield } from '../../src/core/bitfield.ts'
import { Connection } from '../../src/exchange/peer-wire/connection.ts'
import type { WireEvent } from '../../src/exchange/peer-wire/events.ts'
import type { Receiving } from '../../src/exchange/peer-wire/receiving.ts'
import type { Sending } from '../../src/exchange/peer-wire/sending.ts'
import { bytes } from './peer-wire-bytes.ts'

/** CIDv1, raw, sha2-256. */
export const ROOT = bytes(`01551220 ${'ab'.repeat(32)}`)

export class End {
  readonly connection: Connection
  /** What was told, until `took` takes it. */
  #events: WireEvent[] = []
  /** Called as each event comes; what it does counts before the next. */
  onEvent: (event: WireEvent) => void = () => {}

  constructor(requests = 4) {
    this.connection = new Connection({ version: 'test', requests })
  }

  get receiving(): Receiving {
    if (this.connection.receiving === undefined) throw new Error('not that far')
    return this.connection.receiving
  }

  get sending(): Sending {
    if (this.connection.sending === undefined) throw new Error('not that far')
    return this.connection.sending
  }

  receive(chunk: Uint8Array): void {
    for (const event of this.connection.receive(chunk)) {
      this.#events.push(event)
      this.onEvent(event)
    }
  }

  /** The events since the last time. */
  took(): WireEvent[] {
    const events = this.#events
    this.#events = []
    return events
  }
}

/** Hands over all that waits; true when there was something. */
export function deliver(from: End, to: End): boolean {
  const written: Uint8Array[] = []
  for (;;) {
    const outgoing = from.connection.next()
    if (outgoing === undefined) break
    written.push(...outgoing.parts)
  }
  for (const part of written) to.receive(part)
  return written.length > 0
}

/** Hands over in both directions until nothing waits. */
export function settle(a: End, b: End): void {
  let moved = true
  while (moved) moved = [deliver(a, b), deliver(b, a)].includes(true)
}

export function have(pieces: number, indexes: Iterable<number>): Bitfield {
  const bits = new Bitfield(pieces)
  for (const index of indexes) bits.add(index)
  return bits
}

/** Two ends that trade: the first has everything, the second nothing. Both have been told of nothing yet. */
export function tradingPair(sizes: readonly number[], requests = 4): { seeder: End; leecher: End } {
  const seeder = new End(requests)
  const leecher = new End(requests)
  seeder.connection.introduce(ROOT, { sizes, have: Bitfield.full(sizes.length) })
  leecher.connection.introduce(ROOT, { sizes, have: new Bitfield(sizes.length) })
  settle(seeder, leecher)
  seeder.took()
  leecher.took()
  return { seeder, leecher }
}

/** A block whose bytes tell where they are. */
export function block(index: number, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, at) => index * 31 + at + (at >> 8))
}

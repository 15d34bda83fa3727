/** Which peer wrote which bytes of a piece that is put together here; of bytes that came twice, the last one. */
import type { PeerKey } from '../core/types.ts'
import type { Bytes } from '../swarm/spans.ts'

export interface Written extends Bytes {
  readonly peer: PeerKey
}

export class PieceWriters {
  /** Disjoint, in ascending order. */
  #spans: Written[] = []

  get spans(): readonly Written[] {
    return this.#spans
  }

  get peers(): PeerKey[] {
    return [...new Set(this.#spans.map(({ peer }) => peer))]
  }

  wrote(peer: PeerKey, begin: number, end: number): void {
    const last = this.#spans.at(-1)
    // mostly one peer sends it all, in order
    if (last?.peer === peer && last.end === begin) this.#spans[this.#spans.length - 1] = { ...last, end }
    else this.#insert({ peer, begin, end })
  }

  #insert(written: Written): void {
    const spans = this.#spans.flatMap((span) => outside(span, written))
    spans.push(written)
    this.#spans = merged(spans.sort((one, other) => one.begin - other.begin))
  }
}

/** What of a span is not in the other one. */
function outside(span: Written, { begin, end }: Bytes): Written[] {
  const [before, behind] = [
    { ...span, end: Math.min(span.end, begin) },
    { ...span, begin: Math.max(span.begin, end) },
  ]
  return [before, behind].filter((part) => part.begin < part.end)
}

function merged(spans: readonly Written[]): Written[] {
  const all: Written[] = []
  for (const span of spans) {
    const last = all.at(-1)
    if (last?.peer === span.peer && last.end === span.begin) all[all.length - 1] = { ...last, end: span.end }
    else all.push(span)
  }
  return all
}

/** Bytes of one piece that came and are not stored yet, as the spans that they are, with whether they are right. */
export class HeldPiece {
  bytes = 0
  genuine = true
  /** Ascending, apart from each other. */
  #spans: { from: number; to: number }[] = []

  /** Keeps bytes, and returns how many of them were not here yet. */
  add(begin: number, length: number, genuine: boolean): number {
    this.genuine &&= genuine
    const before = this.bytes
    const [only] = this.#spans
    if (this.#spans.length === 1 && only?.to === begin) only.to += length
    else this.#spans = joined([...this.#spans, { from: begin, to: begin + length }])
    this.bytes = this.#spans.reduce((sum, { from, to }) => sum + to - from, 0)
    return this.bytes - before
  }
}

function joined(spans: { from: number; to: number }[]): { from: number; to: number }[] {
  const apart: { from: number; to: number }[] = []
  for (const span of spans.sort((a, b) => a.from - b.from)) {
    const last = apart.at(-1)
    if (last === undefined || last.to < span.from) apart.push(span)
    else last.to = Math.max(last.to, span.to)
  }
  return apart
}

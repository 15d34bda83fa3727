/** Sets of bytes of one piece, as disjoint spans in ascending order. There are rarely more than a few. */
export interface Bytes {
  readonly begin: number
  readonly end: number
}

/** The set with these bytes added. */
export function joined(spans: readonly Bytes[], added: Bytes): Bytes[] {
  let { begin, end } = added
  const apart: Bytes[] = []
  for (const span of spans) {
    if (span.end < begin || end < span.begin) apart.push(span)
    else {
      begin = Math.min(begin, span.begin)
      end = Math.max(end, span.end)
    }
  }
  apart.push({ begin, end })
  return apart.sort((a, b) => a.begin - b.begin)
}

/** What of the first `size` bytes is in none of the spans. */
export function gaps(spans: readonly Bytes[], size: number): Bytes[] {
  const found: Bytes[] = []
  let at = 0
  for (const { begin, end } of spans) {
    if (begin > at) found.push({ begin: at, end: begin })
    at = Math.max(at, end)
  }
  if (at < size) found.push({ begin: at, end: size })
  return found
}

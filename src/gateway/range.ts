/** The Range header. Of several ranges the first one is answered, as RFC 9110 section 14.2 allows. */

/** Both ends included. */
export interface ByteRange {
  readonly first: number
  readonly last: number
}

/** Undefined for the whole, also where the header is no range of bytes; `none` when nothing of it is there. */
export function rangeOf(header: string | undefined, size: number): ByteRange | 'none' | undefined {
  const [, from = '', to = ''] = /^bytes=\s*(\d{0,15})-(\d{0,15})\s*(?:,.*)?$/.exec(header ?? '') ?? []
  if (from === '' && to === '') return undefined
  if (from === '')
    return to === '0' || size === 0 ? 'none' : { first: Math.max(0, size - Number(to)), last: size - 1 }
  const first = Number(from)
  const last = to === '' ? size - 1 : Math.min(Number(to), size - 1)
  if (to !== '' && Number(to) < first) return undefined
  return first >= size ? 'none' : { first, last }
}

/** What `If-Range` leaves of a range: all of it where the asker's part is of the same content. */
export function stillGood(ifRange: string | undefined, etag: string): boolean {
  // a weak tag, or a date, promises too little
  return ifRange === undefined || ifRange === etag
}

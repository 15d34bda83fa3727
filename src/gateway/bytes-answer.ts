/** Bytes of known length: all of them, or the range that was asked for. */
import type { Answer } from './answer.ts'
import type { Asked } from './asked.ts'
import { type ByteRange, rangeOf, stillGood } from './range.ts'

export interface Content {
  readonly size: number
  readonly etag: string
  readonly read: (range: ByteRange | undefined) => AsyncIterable<Uint8Array>
  /** `first` is where the answer begins. */
  readonly headers: (first: number) => Promise<Record<string, string>> | Record<string, string>
}

export async function bytesAnswer(asked: Asked, content: Content): Promise<Answer> {
  const { size, etag, read } = content
  const range = stillGood(asked.ifRange, etag) ? rangeOf(asked.range, size) : undefined
  if (range === 'none') return { status: 416, headers: { 'content-range': `bytes */${size}` } }
  const headers = {
    ...(await content.headers(range?.first ?? 0)),
    'accept-ranges': 'bytes',
    'content-length': String(range === undefined ? size : range.last - range.first + 1),
  }
  if (range === undefined) return { status: 200, headers, body: () => read(undefined) }
  const part = `bytes ${range.first}-${range.last}/${size}`
  return { status: 206, headers: { ...headers, 'content-range': part }, body: () => read(range) }
}

/**
 * One block from a trustless HTTP gateway, unchecked. Whatever the gateway does, this ends: it has so long to begin and
 * so long between two parts, and no more is taken than the largest block. Source:
 * https://specs.ipfs.tech/http-gateways/trustless-gateway/
 */
import { causeOf } from './cause.ts'
import { Patience } from './patience.ts'

export type Outcome =
  | { readonly kind: 'block'; readonly bytes: Uint8Array }
  /** It says that it has no such block, or cannot give it now. */
  | { readonly kind: 'absent' }
  /** It is not there, stopped in the middle, or was silent for too long. */
  | { readonly kind: 'failed'; readonly reason: string }
  /** It does what no such gateway does. */
  | { readonly kind: 'unusable'; readonly reason: string }

export interface FetchOptions {
  readonly signal: AbortSignal
  /** So many bytes came in. */
  readonly onBytes: (bytes: number) => void
  /** Nothing came in for a while; it is waited for on. Called once. */
  readonly onSilence: () => void
}

/** The largest block of any exchange, in bytes. */
const MAX_BLOCK = 2 << 20

/** A gateway may have to look for the block first. */
const FIRST_BYTE_MS = 30_000

const NEXT_BYTES_MS = 15_000

/** @throws the signal's reason when it aborts */
export async function fetchRawBlock(
  gateway: string,
  cid: string,
  { signal, onBytes, onSilence }: FetchOptions,
): Promise<Outcome> {
  using patience = new Patience(onSilence)
  try {
    patience.extend(FIRST_BYTE_MS)
    const answer = await fetch(`${gateway}/ipfs/${cid}?format=raw`, {
      headers: { accept: 'application/vnd.ipld.raw' },
      // where it leads to was chosen by nobody here
      redirect: 'manual',
      signal: AbortSignal.any([signal, patience.signal]),
    })
    const { status, body } = answer
    if (status === 200 && body !== null) return await read(body, patience, onBytes)
    await body?.cancel()
    return status >= 300 && status < 400
      ? { kind: 'unusable', reason: 'sends elsewhere instead of answering' }
      : { kind: 'absent' }
  } catch (thrown) {
    signal.throwIfAborted()
    return { kind: 'failed', reason: patience.signal.aborted ? 'was silent for too long' : causeOf(thrown) }
  }
}

async function read(
  body: AsyncIterable<Uint8Array>,
  patience: Patience,
  onBytes: (bytes: number) => void,
): Promise<Outcome> {
  const chunks: Uint8Array[] = []
  let length = 0
  patience.extend(NEXT_BYTES_MS)
  for await (const chunk of body) {
    patience.extend(NEXT_BYTES_MS)
    onBytes(chunk.length)
    length += chunk.length
    if (length > MAX_BLOCK) return { kind: 'unusable', reason: 'sent more bytes than any block has' }
    chunks.push(chunk)
  }
  return { kind: 'block', bytes: Buffer.concat(chunks, length) }
}

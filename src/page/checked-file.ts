/** A file's bytes over one connection, each block checked before any of its bytes are given. */
import { readFile } from '../content/file.ts'
import { ShareError } from '../core/errors.ts'
import { Incoming } from './incoming.ts'
import type { Remote } from './remote.ts'
import type { SharedFile } from './shared-files.ts'

/** Blocks that may come before the walk asks for them, in bytes: two levels of nodes, and empty parts, which it never asks for. */
const MOST_EARLY = 16 << 20

/**
 * The bytes from `from` to the end, in order.
 * @throws Lost, ShareError BAD_CONTENT, VERIFICATION_FAILED for what is not the file that the link names
 */
export async function* checkedBytes(
  { path, cid, size }: SharedFile,
  from: number,
  remote: Pick<Remote, 'blocks'>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const incoming = new Incoming(cid, remote.blocks(path, from, signal), MOST_EARLY)
  let at = from
  try {
    const range = { first: from }
    for await (const bytes of readFile(cid, { getBlock: incoming.block, range, readAhead: 2, signal })) {
      at += bytes.length
      if (at > size) break
      yield bytes
    }
  } finally {
    await incoming.close()
  }
  if (at === size) return
  const hint = 'tell who sent the link; nothing was saved under its name'
  throw new ShareError('BAD_CONTENT', 'the file is not as long as its directory says', hint)
}

/** Reading large .torrent files on a thread: to check the piece layers of two million pieces takes seconds. */
import { Calls, threadBeside } from '../content/hashing/calls.ts'
import { type ErrorJson, ShareError } from '../core/errors.ts'
import { type Metainfo, readMetainfo } from './metainfo.ts'

export type ReadAnswer = { readonly metainfo: Metainfo } | { readonly error: ErrorJson }

const THREAD = threadBeside(import.meta.url, 'metainfo-thread')

/** Shorter ones are read in some milliseconds. */
const WORTH_A_THREAD = 256 << 10

/** As `readMetainfo` does, without holding up anything else. @throws ShareError BAD_CONTENT */
export async function readMetainfoAside(bytes: Uint8Array): Promise<Metainfo> {
  if (bytes.length < WORTH_A_THREAD) return readMetainfo(bytes)
  const thread = new Calls<Uint8Array, ReadAnswer>(THREAD)
  try {
    const answer = await thread.ask(bytes)
    if ('error' in answer) throw ShareError.fromJSON(answer.error)
    return answer.metainfo
  } finally {
    await thread.end()
  }
}

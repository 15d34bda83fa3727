/** Reading a .torrent file that a person names, from the disk or from the web. */
import { open } from 'node:fs/promises'
import { printable } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import { MAX_METAINFO_BYTES, type Metainfo } from '../torrent/metainfo.ts'
import { readMetainfoAside } from '../torrent/read-aside.ts'

const FETCH_MS = 30_000

/** @throws ShareError NOT_FOUND, UNREADABLE, BAD_CONTENT */
export async function readTorrentFile(path: string): Promise<Metainfo> {
  return readMetainfoAside(await bytesIn(path))
}

async function bytesIn(path: string): Promise<Uint8Array> {
  try {
    const handle = await open(path)
    try {
      const { size } = await handle.stat()
      if (size > MAX_METAINFO_BYTES) throw tooLong(path)
      return await handle.readFile()
    } finally {
      await handle.close()
    }
  } catch (thrown) {
    throw ShareError.from(thrown, `read ${path}`)
  }
}

/** @throws ShareError NOT_FOUND, BAD_CONTENT; the signal's reason */
export async function fetchTorrentFile(url: string, signal: AbortSignal | undefined): Promise<Metainfo> {
  const late = AbortSignal.timeout(FETCH_MS)
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    const answer = await fetch(url, { signal: signal === undefined ? late : AbortSignal.any([signal, late]) })
    if (!answer.ok) throw notThere(url, `the server answers ${answer.status}`)
    for await (const chunk of answer.body ?? []) {
      length += chunk.length
      if (length > MAX_METAINFO_BYTES) throw tooLong(url)
      chunks.push(chunk)
    }
  } catch (thrown) {
    signal?.throwIfAborted()
    if (thrown instanceof ShareError) throw thrown
    throw notThere(url, late.aborted ? 'the server is silent' : 'the server cannot be reached')
  }
  return readMetainfoAside(Buffer.concat(chunks, length))
}

function notThere(url: string, reason: string): ShareError {
  return new ShareError(
    'NOT_FOUND',
    `there is no torrent at ${printable(url)}: ${reason}`,
    'check the address',
  )
}

function tooLong(name: string): ShareError {
  return new ShareError(
    'BAD_CONTENT',
    `${printable(name)} has more than ${MAX_METAINFO_BYTES} bytes, as no torrent has`,
    'is it a .torrent file?',
  )
}

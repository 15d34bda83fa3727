/** share torrent: a .torrent file of a share, beside the name of the file that it was written to. */
import { readFile, stat, writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { errno, ShareError } from '../../core/errors.ts'
import type { TorrentRequest } from '../../daemon/api.ts'
import { checkShareName } from '../../node/share-name.ts'
import type { Context } from '../context.ts'
import { hashing } from '../hashing.ts'
import { type TrackerOptions, trackersIn } from '../trackers.ts'

interface Options extends TrackerOptions {
  readonly output?: string
  readonly v1?: boolean
  readonly v2?: boolean
}

export async function torrent(context: Context, cid: string, options: Options): Promise<void> {
  const { out, signal } = context
  checkShareName(cid)
  const toStdout = options.output === '-'
  if (toStdout && out.json)
    throw new ShareError('USAGE', 'both --json and -o - write to standard output', 'name a file with -o')
  const client = await context.daemon()
  const version = options.v1 ? 'v1' : options.v2 ? 'v2' : 'hybrid'
  const request: TorrentRequest = { cid, version, ...trackersIn(options.tracker) }
  const summary = await hashing(context, (work) => client.torrent(request, work))
  const bytes = Buffer.concat(await Array.fromAsync(client.torrentFile(request, { signal })))
  if (toStdout) {
    await out.bytes(bytes)
    return
  }
  const path = await placeOf(options.output, `${basename(summary.name)}.torrent`)
  await writeNew(path, bytes)
  out.result(path, { ...summary, path })
}

/** `output` itself, or the name in the directory that it is. */
async function placeOf(output: string | undefined, name: string): Promise<string> {
  const place = resolve(output ?? '.')
  const isDirectory = await stat(place).then(
    (found) => found.isDirectory(),
    () => false,
  )
  return isDirectory ? join(place, name) : place
}

/** Replaces nothing; a file of the same bytes is as good as written. */
async function writeNew(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeFile(path, bytes, { flag: 'wx' })
  } catch (thrown) {
    if (errno(thrown) !== 'EEXIST') throw ShareError.from(thrown, `write ${path}`)
    const there = await readFile(path).catch(() => undefined)
    if (there !== undefined && Buffer.compare(there, bytes) === 0) return
    throw new ShareError(
      'TARGET_EXISTS',
      `${path} exists already, with other content`,
      'move it away, or name another file with -o',
      { cause: thrown },
    )
  }
}

/** share add: paths in, CIDs out. */
import { lstat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { printable } from '../../core/cid.ts'
import { errno, ShareError } from '../../core/errors.ts'
import { formatBytes } from '../../core/units.ts'
import type { AddRequest } from '../../daemon/api.ts'
import type { DaemonClient } from '../../daemon/client.ts'
import type { ImportProfile, ShareInfo } from '../../node/types.ts'
import type { Context } from '../context.ts'
import { openProgress } from '../progress.ts'
import { reachableText } from './id.ts'

interface Options {
  readonly quiet?: boolean
  readonly copy?: boolean
  readonly profile?: ImportProfile
  readonly name?: string
  readonly torrent?: string
}

export async function add(context: Context, paths: readonly string[], options: Options): Promise<void> {
  if (options.name !== undefined && paths.length > 1) {
    throw new ShareError('USAGE', 'one --name for several paths', 'add them one by one to name them')
  }
  if (options.torrent !== undefined && paths.length > 1) {
    throw new ShareError('USAGE', 'one --torrent for several paths', 'add what it was made of: one path')
  }
  // all are checked before any is added
  for (const path of paths) await checkPath(path)
  const client = await context.daemon()
  const bare = options.quiet === true || process.stdout.isTTY !== true
  for (const path of paths) {
    const share = await addOne(context, client, path, options)
    const label = `${share.cid}  ${printable(share.name)}  ${formatBytes(share.size)}`
    const identity = await client.id({ signal: context.signal })
    const { reachable, reachableBy } = identity
    context.out.result(bare ? share.cid : label, { ...share, reachable, reachableBy })
    if (!bare && path === paths.at(-1)) context.out.note(reachableText(identity))
  }
}

async function checkPath(path: string): Promise<void> {
  if (path === '-') {
    throw new ShareError(
      'USAGE',
      'share add takes files, not standard input',
      'save it to a file first; a file named - is ./-',
    )
  }
  try {
    await lstat(path)
  } catch (cause) {
    if (errno(cause) !== 'ENOENT' && errno(cause) !== 'ENOTDIR')
      throw ShareError.from(cause, 'look at the path')
    throw new ShareError('NOT_FOUND', `no such file or directory: ${path}`, 'check the path', { cause })
  }
}

async function addOne(
  context: Context,
  client: DaemonClient,
  path: string,
  options: Options,
): Promise<ShareInfo> {
  const { quiet, copy, profile, name, torrent } = options
  const request: AddRequest = {
    path: resolve(path),
    ...(copy === true && { copy }),
    ...(profile !== undefined && { profile }),
    ...(name !== undefined && { name }),
    ...(torrent !== undefined && { torrent: resolve(torrent) }),
  }
  const progress = await openProgress({ quiet: quiet === true, json: context.out.json })
  const start = performance.now()
  try {
    return await client.add(request, {
      signal: context.signal,
      onProgress: ({ done, total, files }) => {
        const rate = (done * 1000) / Math.max(1, performance.now() - start)
        progress.update({ done, total, rate, detail: files === 1 ? '' : `${files} files` })
      },
    })
  } finally {
    progress.stop()
  }
}

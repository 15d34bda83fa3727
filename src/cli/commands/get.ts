/** share get: downloads until it is there, the time is up, or Ctrl-C; each run goes on where the last one stopped. */
import { resolve } from 'node:path'
import { ShareError } from '../../core/errors.ts'
import { formatBytes, formatDuration } from '../../core/units.ts'
import { nobodyFound } from '../../node/search-steps.ts'
import { checkSource, parseTarget } from '../../node/target.ts'
import { torrentSources, torrentTarget } from '../../node/torrent-target.ts'
import type { GetProgress, ShareInfo } from '../../node/types.ts'
import { parseTimeout } from '../arguments.ts'
import type { Context } from '../context.ts'
import { openProgress, type Progress } from '../progress.ts'

interface Options {
  readonly output?: string
  readonly peer?: readonly string[]
  readonly timeout?: string
  readonly quiet?: boolean
  readonly stream?: boolean
  readonly only?: readonly string[]
}

export async function get(context: Context, target: string, options: Options): Promise<void> {
  const asked = checkTarget(target, options)
  const seconds = options.timeout === undefined ? undefined : parseTimeout(options.timeout)
  const late = seconds === undefined ? new AbortController().signal : AbortSignal.timeout(seconds * 1000)
  const signal = AbortSignal.any([context.signal, late])
  const watch = new Watch(
    context,
    await openProgress({ quiet: options.quiet === true, json: context.out.json }),
  )
  try {
    const client = await context.daemon()
    const request = {
      ...asked,
      output: resolve(options.output ?? '.'),
      stream: options.stream === true,
    }
    const share = await client.get(request, { signal, onProgress: (progress) => watch.report(progress) })
    watch.progress.stop()
    context.out.result(share.path, share)
    if (torrentTarget(target) !== undefined) watch.progress.note(`CID: ${share.cid}`)
  } catch (thrown) {
    if (late.aborted && !context.signal.aborted) throw watch.outOfTime(seconds ?? 0)
    throw thrown
  } finally {
    watch.progress.stop()
  }
}

/** Before a daemon is started for it. */
function checkTarget(
  target: string,
  { peer: peers = [], only = [] }: Options,
): { target: string; peers: readonly string[]; only: readonly string[] } {
  const torrent = torrentTarget(target)
  if (torrent !== undefined) {
    torrentSources(peers)
    return { target: torrent.kind === 'file' ? torrent.path : target, peers, only }
  }
  parseTarget(target)
  if (only.length > 0)
    throw new ShareError(
      'USAGE',
      '--only chooses files of a torrent',
      'of a CID get a path under it: CID/path',
    )
  return { target, peers: peers.map(checkSource), only }
}

/** What the daemon has reported of one download. */
class Watch {
  readonly progress: Progress
  readonly #context: Context
  #share: ShareInfo | undefined
  /** Somebody who has it was there since the search last came back with nobody. */
  #found = false

  constructor(context: Context, progress: Progress) {
    this.#context = context
    this.progress = progress
  }

  report({ share, notice }: GetProgress): void {
    const before = this.#share ?? share
    this.#share = share
    if (notice?.code === 'NOBODY_HAS_IT') this.#found = false
    if (share.peers.length > 0 || share.have > before.have) this.#found = true
    if (notice !== undefined) this.#say(notice)
    const detail = share.peers.length === 1 ? '1 peer' : `${share.peers.length} peers`
    this.progress.update({ done: share.have, total: share.size, rate: share.rates.down, detail })
  }

  #say(notice: NonNullable<GetProgress['notice']>): void {
    if (this.#context.out.json) this.progress.note(JSON.stringify({ notice }))
    else this.progress.note(`${notice.message}\nnext: ${notice.hint}`)
  }

  outOfTime(seconds: number): ShareError {
    const limit = seconds < 1 ? `${seconds} s` : formatDuration(seconds)
    if (!this.#found) return nobodyFound(this.#share?.search, `within ${limit}`)
    const { have = 0, size = 0 } = this.#share ?? {}
    const amount = size === 0 ? '' : `: ${formatBytes(have)} of ${formatBytes(size)} are here`
    const hint = 'run the same command again to resume, with a longer --timeout or without'
    return new ShareError('TIMED_OUT', `not finished within ${limit}, who has it is too slow${amount}`, hint)
  }
}

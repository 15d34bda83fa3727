/** share get: downloads until it is there, the time is up, or Ctrl-C; each run goes on where the last one stopped. */
import { resolve } from 'node:path'
import { ShareError } from '../../core/errors.ts'
import { formatBytes, formatDuration } from '../../core/units.ts'
import { checkSource, parseTarget } from '../../node/target.ts'
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
}

export async function get(context: Context, target: string, options: Options): Promise<void> {
  parseTarget(target)
  const peers = (options.peer ?? []).map(checkSource)
  const seconds = options.timeout === undefined ? undefined : parseTimeout(options.timeout)
  const late = seconds === undefined ? new AbortController().signal : AbortSignal.timeout(seconds * 1000)
  const signal = AbortSignal.any([context.signal, late])
  const watch = new Watch(
    context,
    await openProgress({ quiet: options.quiet === true, json: context.out.json }),
  )
  try {
    const client = await context.daemon()
    const request = { target, output: resolve(options.output ?? '.'), peers, stream: options.stream === true }
    const share = await client.get(request, { signal, onProgress: (progress) => watch.report(progress) })
    watch.progress.stop()
    context.out.result(share.path, share)
  } catch (thrown) {
    if (late.aborted && !context.signal.aborted) throw watch.outOfTime(seconds ?? 0)
    throw thrown
  } finally {
    watch.progress.stop()
  }
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
    if (!this.#found) {
      const hint =
        'see that a node which has it is running, or name one with --peer; the same command goes on from here'
      return new ShareError('NOBODY_HAS_IT', `nobody who has it was found within ${limit}`, hint)
    }
    const { have = 0, size = 0 } = this.#share ?? {}
    const amount = size === 0 ? '' : `: ${formatBytes(have)} of ${formatBytes(size)} are here`
    const hint = 'run the same command again to resume, with a longer --timeout or without'
    return new ShareError('TIMED_OUT', `not finished within ${limit}${amount}`, hint)
  }
}

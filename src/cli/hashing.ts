/** Progress of commands that read a share once, for the digests that BitTorrent knows it by. */
import { formatBytes } from '../core/units.ts'
import type { HashProgress } from '../node/types.ts'
import type { Context } from './context.ts'
import { openProgress } from './progress.ts'

interface HashWork {
  readonly signal: AbortSignal
  readonly onProgress: (progress: HashProgress) => void
}

export async function hashing<T>(
  { out, signal }: Context,
  work: (hashing: HashWork) => Promise<T>,
): Promise<T> {
  const progress = await openProgress({ quiet: false, json: out.json })
  const start = performance.now()
  let first: number | undefined
  try {
    return await work({
      signal,
      onProgress: ({ done, total, notice }) => {
        if (notice !== undefined) {
          progress.note(
            out.json
              ? JSON.stringify({ notice })
              : `without info hashes: ${notice.message}\nnext: ${notice.hint}`,
          )
          return
        }
        // what an interrupted run had done is not this one's speed
        first ??= done
        const rate = ((done - first) * 1000) / Math.max(1, performance.now() - start)
        progress.update({ done, total, rate, detail: `hashing ${formatBytes(total)}` })
      },
    })
  } finally {
    progress.stop()
  }
}

/** share export: what lies below a CID as a CAR file, the one that `ipfs dag export` writes. */
import { resolve } from 'node:path'
import { ShareError } from '../../core/errors.ts'
import { formatBytes } from '../../core/units.ts'
import type { DaemonClient } from '../../daemon/client.ts'
import { writeNewFile } from '../../node/new-file.ts'
import { parseTarget, type Target } from '../../node/target.ts'
import type { Context } from '../context.ts'
import { openProgress, type Progress } from '../progress.ts'
import { streamed } from '../streamed.ts'

interface Options {
  readonly output?: string
  readonly quiet?: boolean
}

export async function exportCar(context: Context, target: string, options: Options): Promise<number> {
  if (options.output === undefined) return toStdout(context, target)
  const { root } = parseTarget(target)
  const path = resolve(options.output)
  const progress = await openProgress({ quiet: options.quiet === true, json: context.out.json })
  try {
    const client = await context.daemon()
    const total = await sizeOf(context, client, root)
    const counted = new Counted(client.export({ target }, { signal: context.signal }), total, progress)
    await writeNewFile(path, counted)
    progress.stop()
    const label = options.quiet === true ? path : `${path}  ${formatBytes(counted.bytes)}`
    context.out.result(label, { path, bytes: counted.bytes })
    return 0
  } finally {
    progress.stop()
  }
}

function toStdout(context: Context, target: string): Promise<number> {
  return streamed(context, () => {
    parseTarget(target)
    if (process.stdout.isTTY === true) {
      const hint = 'name a file with -o, or send it on: share export CID | …'
      throw new ShareError('USAGE', 'a CAR file is not for a terminal', hint)
    }
    return (client) => client.export({ target }, { signal: context.signal })
  })
}

/** Content bytes, where it is a share of this node: what wraps them in a CAR is small beside them. Else 0. */
async function sizeOf({ signal }: Context, client: DaemonClient, root: Target['root']): Promise<number> {
  const { shares } = await client.status({ signal })
  const cid = root.toV1().toString()
  return shares.find((share) => share.cid === cid)?.size ?? 0
}

class Counted implements AsyncIterable<Uint8Array> {
  readonly #chunks: AsyncIterable<Uint8Array>
  readonly #total: number
  readonly #progress: Progress
  bytes = 0

  constructor(chunks: AsyncIterable<Uint8Array>, total: number, progress: Progress) {
    this.#chunks = chunks
    this.#total = total
    this.#progress = progress
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const start = performance.now()
    for await (const chunk of this.#chunks) {
      this.bytes += chunk.length
      const rate = (this.bytes * 1000) / Math.max(1, performance.now() - start)
      this.#progress.update({ done: Math.min(this.bytes, this.#total), total: this.#total, rate, detail: '' })
      yield chunk
    }
  }
}

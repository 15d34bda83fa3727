/** share import: takes in a CAR file; what its roots stand for is shared. */
import { resolve } from 'node:path'
import { printable } from '../../core/cid.ts'
import { ShareError } from '../../core/errors.ts'
import { formatBytes } from '../../core/units.ts'
import type { ImportRequest } from '../../daemon/api.ts'
import type { ImportResult, ShareInfo } from '../../node/types.ts'
import type { Context } from '../context.ts'
import { openProgress } from '../progress.ts'

interface Options {
  readonly quiet?: boolean
  readonly name?: string
  readonly blocks?: boolean
}

export async function importCar(context: Context, file: string, options: Options): Promise<number> {
  const { quiet = false, name, blocks = false } = options
  const request: ImportRequest = { path: resolve(file), blocks, ...(name !== undefined && { name }) }
  const progress = await openProgress({ quiet, json: context.out.json })
  const start = performance.now()
  let result: ImportResult
  try {
    result = await (await context.daemon()).import(request, {
      signal: context.signal,
      onProgress: ({ done, total }) => {
        const rate = (done * 1000) / Math.max(1, performance.now() - start)
        progress.update({ done, total, rate, detail: '' })
      },
    })
  } finally {
    progress.stop()
  }
  const bare = quiet || process.stdout.isTTY !== true
  report(context, result, bare)
  const [first] = result.failed
  return first === undefined ? 0 : ShareError.fromJSON(first.error).exitCode
}

function report({ out }: Context, result: ImportResult, bare: boolean): void {
  const lines = result.shares.map((share) => (bare ? share.cid : label(share)))
  if (out.json || lines.length > 0) out.result(lines.join('\n'), result)
  if (result.failed.length + result.shares.length === 0)
    out.note(`stored ${result.blocks} blocks, ${formatBytes(result.bytes)}`)
  for (const { cid, error } of result.failed)
    out.warn(new ShareError(error.code, `${cid} is not shared: ${error.message}`, error.hint))
}

function label(share: ShareInfo): string {
  return `${share.cid}  ${printable(share.name)}  ${formatBytes(share.size)}`
}

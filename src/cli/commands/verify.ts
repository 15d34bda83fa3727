/** share verify: reads everything and says what is damaged; then the exit code is 4. */
import { printable } from '../../core/cid.ts'
import { ShareError } from '../../core/errors.ts'
import { formatBytes } from '../../core/units.ts'
import { checkShareName } from '../../node/share-name.ts'
import type { VerifyResult } from '../../node/types.ts'
import type { Context } from '../context.ts'
import { openProgress } from '../progress.ts'

export async function verify(
  { out, signal, daemon }: Context,
  cid: string | undefined,
): Promise<number | undefined> {
  if (cid !== undefined) checkShareName(cid)
  const client = await daemon()
  const progress = await openProgress({ quiet: false, json: out.json })
  const start = performance.now()
  let damaged = 0
  try {
    await client.verify(cid, {
      signal,
      onProgress: ({ done, total }) => {
        const rate = (done * 1000) / Math.max(1, performance.now() - start)
        progress.update({ done, total, rate, detail: '' })
      },
      onResult: (result) => {
        progress.stop()
        damaged += result.damaged.length
        out.result(verdict(result), result)
      },
    })
  } finally {
    progress.stop()
  }
  if (damaged === 0) return 0
  const message = damaged === 1 ? 'one file is damaged' : `${damaged} files are damaged`
  const error = new ShareError(
    'VERIFICATION_FAILED',
    message,
    'put the original back, or `share rm` it and add what is there now',
  )
  out.warn(error)
  return error.exitCode
}

function verdict({ cid, pieces, bytes, damaged }: VerifyResult): string {
  if (damaged.length === 0) return `${cid}  whole: ${pieces} pieces, ${formatBytes(bytes)}`
  const files = damaged.map(({ file, reason }) => `  ${printable(file)}: ${printable(reason)}`)
  return [`${cid}  damaged:`, ...files].join('\n')
}

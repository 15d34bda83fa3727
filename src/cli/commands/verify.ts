/** share verify: reads everything and says what is damaged; then the exit code is 4. */
import { parseCid, printable } from '../../core/cid.ts'
import { ShareError } from '../../core/errors.ts'
import { formatBytes } from '../../core/units.ts'
import type { VerifyResult } from '../../node/types.ts'
import type { Context } from '../context.ts'

export async function verify(
  { out, signal, daemon }: Context,
  cid: string | undefined,
): Promise<number | undefined> {
  if (cid !== undefined) parseCid(cid)
  const client = await daemon()
  let damaged = 0
  await client.verify(cid, {
    signal,
    onResult: (result) => {
      damaged += result.damaged.length
      out.result(verdict(result), result)
    },
  })
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

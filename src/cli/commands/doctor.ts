/** share doctor: what keeps this node from the others, and what to do about it. */
import { printable } from '../../core/cid.ts'
import type { CheckResult } from '../../node/types.ts'
import type { Context } from '../context.ts'

/** Wide enough for the longest name and verdict. */
const NAME_WIDTH = 14
const VERDICT_WIDTH = 8

/** Exit code 1 when a check failed. */
export async function doctor({ out, signal, daemon }: Context): Promise<number> {
  const client = await daemon()
  const checks: CheckResult[] = []
  await client.doctor({
    signal,
    onCheck: (check) => {
      checks.push(check)
      if (!out.json) out.result(checkText(check), check)
    },
  })
  const healthy = checks.every(({ verdict }) => verdict !== 'failed')
  if (out.json) out.result('', { healthy, checks })
  return healthy ? 0 : 1
}

function checkText({ name, verdict, finding, next }: CheckResult): string {
  const line = `${verdict.padEnd(VERDICT_WIDTH)}  ${name.padEnd(NAME_WIDTH)}  ${printable(finding, 500)}`
  return next === undefined ? line : `${line}\n${' '.repeat(VERDICT_WIDTH)}  next: ${next}`
}

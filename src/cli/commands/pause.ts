/** share pause and share resume. */
import { checkShareName } from '../../node/share-name.ts'
import type { Context } from '../context.ts'

export async function pause({ out, signal, daemon }: Context, cid: string): Promise<void> {
  checkShareName(cid)
  await (await daemon()).pause(cid, { signal })
  if (out.json) out.result('', { cid, paused: true })
  else out.note('paused; `share resume` goes on')
}

export async function resume({ out, signal, daemon }: Context, cid: string): Promise<void> {
  checkShareName(cid)
  await (await daemon()).resume(cid, { signal })
  if (out.json) out.result('', { cid, paused: false })
  else out.note('resumed')
}

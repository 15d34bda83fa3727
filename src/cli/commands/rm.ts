/** share rm: forgets a share; never deletes a file of its owner. */
import { checkShareName } from '../../node/share-name.ts'
import type { Context } from '../context.ts'

export async function rm({ out, signal, daemon }: Context, cid: string): Promise<void> {
  checkShareName(cid)
  await (await daemon()).rm(cid, { signal })
  if (out.json) out.result('', { cid, removed: true })
  else out.note('no longer shared; its files stay')
}

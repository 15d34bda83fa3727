/** share link: one string to give to somebody else. */
import { parseCid } from '../../core/cid.ts'
import type { Context } from '../context.ts'

export async function link({ out, signal, daemon }: Context, cid: string): Promise<void> {
  parseCid(cid)
  const answer = await (await daemon()).link(cid, { signal })
  out.result(answer.link, answer)
}

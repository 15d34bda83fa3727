/** share link: one string to give to somebody else. */
import { parseCid } from '../../core/cid.ts'
import type { Context } from '../context.ts'
import { hashing } from '../hashing.ts'

export async function link(
  context: Context,
  cid: string,
  { torrent }: { readonly torrent: boolean },
): Promise<void> {
  parseCid(cid)
  const client = await context.daemon()
  const answer = await hashing(context, (work) => client.link({ cid, torrent }, work))
  context.out.result(answer.link, answer)
}

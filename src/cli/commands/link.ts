/** share link: one string to give to somebody else. */
import { checkShareName } from '../../node/share-name.ts'
import type { Context } from '../context.ts'
import { hashing } from '../hashing.ts'
import { type TrackerOptions, trackersIn } from '../trackers.ts'

export async function link(
  context: Context,
  cid: string,
  { torrent, tracker }: { readonly torrent: boolean } & TrackerOptions,
): Promise<void> {
  checkShareName(cid)
  const client = await context.daemon()
  const answer = await hashing(context, (work) => client.link({ cid, torrent, ...trackersIn(tracker) }, work))
  context.out.result(answer.link, answer)
}

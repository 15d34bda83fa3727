/** `format=raw`: one block as it is. */
import { RAW } from '../core/cid.ts'
import { type Answer, disposition, FOR_EVER, unlessKnown, type Work } from './answer.ts'
import { bytesAnswer } from './bytes-answer.ts'

export function rawAnswer(work: Work): Promise<Answer> {
  const { asked, at, blocks } = work
  const etag = `"${at.cid}.raw"`
  return unlessKnown(work, { etag, 'cache-control': FOR_EVER }, async () => {
    // leaves are passed through, nodes are kept
    const block = await (at.cid.code === RAW ? blocks.block(at.cid) : blocks.node(at.cid))
    return bytesAnswer(asked, {
      size: block.length,
      etag,
      async *read(range) {
        yield range === undefined ? block : block.subarray(range.first, range.last + 1)
      },
      headers: () => ({
        'content-type': 'application/vnd.ipld.raw',
        'content-disposition': disposition('attachment', asked.filename ?? `${at.cid}.bin`),
        'x-content-type-options': 'nosniff',
      }),
    })
  })
}
